import { language } from '@/i18n'

/** What goes wrong, as the relay tells it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }
}

export type Query = Record<string, string | number | boolean | null | undefined | string[]>

/** What a page shows instead of its own words when the relay did not answer at all. */
export const NO_ANSWER = 'no_answer'

let csrfToken = ''
let onSignedOut = () => {}

/** Takes note of what changes are to be sent with, as the session tells it. */
export const setCsrfToken = (token: string) => {
  csrfToken = token
}

/** Says what happens when the relay knows the session no more. */
export const whenSignedOut = (act: () => void) => {
  onSignedOut = act
}

/** An address with what is asked; nothing that is empty is sent. */
export function address(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== null && one !== undefined && one !== '')
      .map((one) => [name, String(one)]),
  )
  const search = new URLSearchParams(pairs).toString()
  return search ? `${path}?${search}` : path
}

async function problem(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => null)
  const told = body?.error ?? {}
  const wait = Number(response.headers.get('retry-after'))
  return new ApiError(
    response.status,
    told.code ?? 'internal',
    told.message ?? '',
    told.field ?? null,
    wait || null,
  )
}

/** Asks the relay; throws an [ApiError] if it does not do what was asked. */
export async function ask(method: string, path: string, body?: unknown, more?: RequestInit) {
  const headers = new Headers(more?.headers)
  headers.set('accept-language', language())
  if (method !== 'GET') headers.set('x-csrf-token', csrfToken)
  if (body !== undefined) headers.set('content-type', 'application/json')
  const request = {
    ...more,
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  }
  const response = await fetch(path, { credentials: 'same-origin', ...request }).catch(() => {
    throw new ApiError(0, NO_ANSWER, '')
  })
  if (!response.ok) {
    const told = await problem(response)
    // The first word of a signed-out page and a wrong password are answers, not ends of a session.
    const ends = told.code === 'unauthorized' && path.startsWith('/admin/')
    if (response.status === 401 && ends && path !== '/admin/session') onSignedOut()
    throw told
  }
  return response
}

async function json<T>(response: Promise<Response>): Promise<T> {
  const text = await (await response).text()
  return (text ? JSON.parse(text) : null) as T
}

export const get = <T>(path: string, query?: Query) => json<T>(ask('GET', address(path, query)))
export const post = <T>(path: string, body?: unknown) => json<T>(ask('POST', path, body))
export const put = <T>(path: string, body?: unknown) => json<T>(ask('PUT', path, body))
export const patch = <T>(path: string, body?: unknown) => json<T>(ask('PATCH', path, body))
export const del = <T>(path: string, body?: unknown) => json<T>(ask('DELETE', path, body))
