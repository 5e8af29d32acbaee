import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="keys" command="crs key set --help" />
}
