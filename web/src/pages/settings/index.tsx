import { NotBuilt } from '@/frame/NotBuilt'

export default function Page() {
  return <NotBuilt name="settings" command="crs --help" />
}
