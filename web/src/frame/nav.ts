import {
  BookOpen,
  Coins,
  Key,
  Layers,
  LayoutDashboard,
  List,
  type LucideIcon,
  Receipt,
  Server,
  Settings,
} from 'lucide-react'

export interface Place {
  to: string
  /** The key of its name in `frame.json`. */
  name: string
  icon: LucideIcon
}

export const MAIN: Place[] = [
  { to: '/', name: 'dashboard', icon: LayoutDashboard },
  { to: '/accounts', name: 'accounts', icon: Server },
  { to: '/keys', name: 'keys', icon: Key },
  { to: '/calls', name: 'calls', icon: List },
  { to: '/bills', name: 'bills', icon: Receipt },
]
export const CATALOGUE: Place[] = [
  { to: '/groups', name: 'groups', icon: Layers },
  { to: '/prices', name: 'prices', icon: Coins },
]
export const FOOT: Place[] = [
  { to: '/guide', name: 'guide', icon: BookOpen },
  { to: '/settings', name: 'settings', icon: Settings },
]
export const PLACES = [...MAIN, ...CATALOGUE, ...FOOT]
