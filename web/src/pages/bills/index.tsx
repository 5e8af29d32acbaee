import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="bills" command="crs usage --by month,key" />
}
