import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="dashboard" command="crs top" />
}
