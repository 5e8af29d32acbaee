import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="addKey" command="crs key add --help" />
}
