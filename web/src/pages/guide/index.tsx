import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="guide" command="crs demo" />
}
