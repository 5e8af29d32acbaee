import { useQuery } from '@tanstack/react-query'
import { ApiError, del, get, post, setCsrfToken, whenSignedOut } from './client'
import { queries } from './queries'

/** Who is signed in, and what the relay is called. */
export interface Session {
  username: string
  role: 'admin' | 'viewer'
  totp: boolean
  csrf_token: string
  ends_at: string
  must_change_password: boolean
  version: string
  title: string
  logo: string
  notice: string
  zone: string
  uptime_seconds: number
  now: string
}

const KEY = ['session']

function keep(session: Session): Session {
  setCsrfToken(session.csrf_token)
  return session
}

async function current(): Promise<Session | null> {
  try {
    return keep(await get<Session>('/admin/session'))
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null
    throw error
  }
}

export const sessionQuery = { queryKey: KEY, queryFn: current, staleTime: Number.POSITIVE_INFINITY }

/** The session; `null` if nobody is signed in. */
export const useSession = () => useQuery<Session | null, ApiError>(sessionQuery).data ?? null

/** Whether who is signed in may change things. */
export const useMayChange = () => useSession()?.role === 'admin'

export async function signIn(username: string, password: string, code?: string) {
  const session = await post<Session>('/admin/session', { username, password, code })
  queries.setQueryData(KEY, keep(session))
  return session
}

export async function signOut() {
  await del('/admin/session')
  queries.clear()
  queries.setQueryData(KEY, null)
}

/** Forgets a session that is over. */
export const sessionEnded = () => queries.setQueryData(KEY, null)

whenSignedOut(sessionEnded)
