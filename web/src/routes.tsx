import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { queries } from './api/queries'
import { sessionQuery } from './api/session'
import { PageError } from './frame/PageError'
import { PageWaits } from './frame/PageWaits'

const root = createRootRoute({ component: Outlet })

const frame = () => import('./frame/Frame')

/** Everything behind it needs a session; who has none signs in first and comes back. */
const signedIn = createRoute({
  getParentRoute: () => root,
  id: 'signed-in',
  component: lazyRouteComponent(frame, 'Frame'),
  beforeLoad: async ({ location }) => {
    // The frame comes while the relay is asked who this is.
    void frame()
    const session = await queries.ensureQueryData(sessionQuery)
    if (!session) throw redirect({ to: '/sign-in', search: { to: location.href } })
  },
})

const inFrame = <Path extends string>(
  path: Path,
  load: () => Promise<{ default: React.ComponentType }>,
) => createRoute({ getParentRoute: () => signedIn, path, component: lazyRouteComponent(load) })

const alone = <Path extends string>(
  path: Path,
  load: () => Promise<{ default: React.ComponentType }>,
) => createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) })

const tree = root.addChildren([
  signedIn.addChildren([
    inFrame('/', () => import('./pages/dashboard')),
    inFrame('/first-run', () => import('./pages/first-run')),
    inFrame('/accounts', () => import('./pages/accounts')),
    inFrame('/accounts/add', () => import('./pages/account-add')),
    inFrame('/accounts/$account', () => import('./pages/account')),
    inFrame('/accounts/$account/edit', () => import('./pages/account-edit')),
    inFrame('/keys', () => import('./pages/keys')),
    inFrame('/keys/add', () => import('./pages/key-add')),
    inFrame('/keys/$key', () => import('./pages/key')),
    inFrame('/keys/$key/edit', () => import('./pages/key-edit')),
    inFrame('/calls', () => import('./pages/calls')),
    inFrame('/bills', () => import('./pages/bills')),
    inFrame('/groups', () => import('./pages/groups')),
    inFrame('/prices', () => import('./pages/prices')),
    inFrame('/settings', () => import('./pages/settings')),
    inFrame('/settings/$part', () => import('./pages/settings')),
    inFrame('/guide', () => import('./pages/guide')),
    inFrame('$', () => import('./frame/NotFound')),
  ]),
  alone('/sign-in', () => import('./pages/sign-in')),
  alone('/stats', () => import('./pages/stats')),
])

export const router = createRouter({
  routeTree: tree,
  basepath: '/web',
  defaultPreload: 'intent',
  defaultPendingComponent: PageWaits,
  defaultErrorComponent: PageError,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
