import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="prices" command="crs price list" />
}
