import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="accounts" command="crs account set --help" />
}
