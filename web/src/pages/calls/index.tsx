import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="calls" command="crs usage --since 1d" />
}
