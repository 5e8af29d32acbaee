import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="groups" command="crs group --help" />
}
