import type { AccountFields, AccountItem } from '@/api/types/accounts'

type Typed = number | string

/** The form of an account, as it is typed. What is secret is empty until it is typed anew. */
export interface AccountForm {
  name: string
  base_url: string
  secret: string
  proxy: string
  dropProxy: boolean
  groups: string[]
  sharing: string
  clients: string
  priority: Typed
  weight: Typed
  max_concurrency: Typed
  models: string[]
  map: { from: string; to: string }[]
  stop5h: Typed
  stop7d: Typed
  daily: Typed
  ends_at: string
  key_header: string
  speaks: string
  project: string
  headers: { name: string; value: string; known: boolean }[]
  payload: { path: string; json: string }[]
  first_byte: Typed
  unary: Typed
  idle: Typed
  note: string
}

const SECOND = 1_000

export function formOf(account: AccountItem): AccountForm {
  const seconds = (millis: number | null | undefined) => (millis ? millis / SECOND : '')
  return {
    name: account.name,
    base_url: account.base_url,
    secret: '',
    proxy: '',
    dropProxy: false,
    groups: account.groups,
    sharing: account.sharing,
    clients: account.clients,
    priority: account.priority,
    weight: account.weight,
    max_concurrency: account.max_concurrency ?? '',
    models: account.models,
    map: account.map,
    stop5h: account.stop_at['5h'] ?? '',
    stop7d: account.stop_at['7d'] ?? '',
    daily: account.daily_cost_usd ?? '',
    ends_at: account.ends_at ?? '',
    key_header: account.key_header,
    speaks: account.speaks,
    project: account.project ?? '',
    headers: account.headers.map((name) => ({ name, value: '', known: true })),
    payload: account.payload.map((rule) =>
      'set' in rule ? rule.set : { path: rule.drop.path, json: '' },
    ),
    first_byte: seconds(account.first_byte_timeout_ms),
    unary: seconds(account.unary_timeout_ms),
    idle: seconds(account.idle_timeout_ms),
    note: account.note,
  }
}

const number = (typed: Typed): number | null => {
  const value = typeof typed === 'number' ? typed : Number.parseFloat(typed)
  return Number.isFinite(value) ? value : null
}
const millis = (typed: Typed) => {
  const seconds = number(typed)
  return seconds ? Math.round(seconds * SECOND) : null
}

function bodyOf(form: AccountForm) {
  return {
    name: form.name.trim(),
    base_url: form.base_url.trim() || null,
    groups: form.groups,
    sharing: form.sharing,
    clients: form.clients,
    priority: number(form.priority),
    weight: number(form.weight),
    max_concurrency: number(form.max_concurrency),
    models: form.models,
    map: form.map.filter((it) => it.from.trim() && it.to.trim()),
    stop_at: { '5h': number(form.stop5h), '7d': number(form.stop7d) },
    daily_cost_usd: number(form.daily),
    ends_at: form.ends_at || null,
    key_header: form.key_header,
    speaks: form.speaks,
    project: form.project.trim() || null,
    headers: form.headers
      .filter((it) => it.name.trim())
      .map((it) => (it.value ? { name: it.name, value: it.value } : { name: it.name })),
    payload: form.payload
      .filter((it) => it.path.trim())
      .map((it) =>
        it.json.trim()
          ? { set: { path: it.path.trim(), json: it.json.trim() } }
          : { drop: { path: it.path.trim() } },
      ),
    first_byte_timeout_ms: millis(form.first_byte),
    unary_timeout_ms: millis(form.unary),
    idle_timeout_ms: millis(form.idle),
    note: form.note.trim() || null,
  }
}

/** What is other than before: only that is sent. */
export function changes(before: AccountForm, after: AccountForm): AccountFields {
  const [was, is] = [bodyOf(before), bodyOf(after)] as Record<string, unknown>[]
  const out: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(is ?? {})) {
    if (JSON.stringify(was?.[name]) !== JSON.stringify(value)) out[name] = value
  }
  if (after.secret.trim()) out.secret = after.secret.trim()
  if (after.dropProxy) out.proxy = null
  else if (after.proxy.trim()) out.proxy = after.proxy.trim()
  return out as AccountFields
}
