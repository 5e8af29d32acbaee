import type { KeyFields, KeyItem } from '@/api/types/keys'

/** A number that is typed; empty is none. */
type Typed = number | string

export const SERVICES = ['claude', 'openai', 'gemini'] as const
export type Service = (typeof SERVICES)[number]
export const PERIODS = ['day', 'week', 'month', 'total'] as const

export interface FamilyBudget {
  family: string
  usd: Typed
  period: string
}

/** The form of a key, as it is typed. */
export interface KeyForm {
  name: string
  count: Typed
  owner: string
  note: string
  tags: string[]
  day: Typed
  week: Typed
  weekDay: string
  weekHour: string
  month: Typed
  total: Typed
  families: FamilyBudget[]
  windowAmount: Typed
  windowUnit: 'minutes' | 'hours' | 'days'
  requests: Typed
  tokens: Typed
  cost: Typed
  concurrency: Typed
  queueLength: Typed
  queueSeconds: Typed
  services: string[]
  clients: string[]
  models: 'all' | 'only' | 'but'
  modelList: string[]
  deniedList: string[]
  ips: string[]
  maxOutput: Typed
  maxBodyMb: Typed
  map: { from: string; to: string }[]
  payload: { path: string; json: string }[]
  bindings: Record<Service, string>
  fallback: boolean
  ends: 'never' | 'date' | 'first'
  endDate: string
  lastsDays: Typed
}

export const EMPTY: KeyForm = {
  name: '',
  count: '',
  owner: '',
  note: '',
  tags: [],
  day: '',
  week: '',
  weekDay: 'mon',
  weekHour: '00:00',
  month: '',
  total: '',
  families: [],
  windowAmount: 5,
  windowUnit: 'hours',
  requests: '',
  tokens: '',
  cost: '',
  concurrency: '',
  queueLength: '',
  queueSeconds: '',
  services: [],
  clients: [],
  models: 'all',
  modelList: [],
  deniedList: [],
  ips: [],
  maxOutput: '',
  maxBodyMb: '',
  map: [],
  payload: [],
  bindings: { claude: '', openai: '', gemini: '' },
  fallback: false,
  ends: 'never',
  endDate: '',
  lastsDays: 30,
}

export const UNITS = { minutes: 60, hours: 3_600, days: 86_400 } as const
const DAY = 86_400
const MB = 1_048_576

/** The largest unit that a span is a whole number of. */
function windowOf(seconds: number): Pick<KeyForm, 'windowAmount' | 'windowUnit'> {
  for (const unit of ['days', 'hours'] as const) {
    if (seconds % UNITS[unit] === 0)
      return { windowAmount: seconds / UNITS[unit], windowUnit: unit }
  }
  return { windowAmount: seconds / 60, windowUnit: 'minutes' }
}

/** The form of a key that is there. */
export function formOf(key: KeyItem): KeyForm {
  const { limits, rules } = key
  const budgets = limits.budgets ?? {}
  const allowed = rules.allowed_models ?? []
  const denied = rules.denied_models ?? []
  const [weekDay = 'mon', weekHour = '00:00'] = (limits.weekly_reset ?? 'mon@00:00').split('@')
  const bound = (service: Service) => key.bindings[service] ?? ''
  return {
    ...EMPTY,
    name: key.name,
    owner: key.owner,
    note: key.note,
    tags: key.tags,
    day: budgets.day ?? '',
    week: budgets.week ?? '',
    weekDay,
    weekHour,
    month: budgets.month ?? '',
    total: budgets.total ?? '',
    families: Object.entries(budgets)
      .filter(([name]) => name.includes('/'))
      .map(([name, usd]) => {
        const [family = '', period = 'week'] = name.split('/')
        return { family, usd, period }
      }),
    ...(limits.window ? windowOf(limits.window.seconds) : {}),
    requests: limits.window?.requests ?? '',
    tokens: limits.window?.tokens ?? '',
    cost: limits.window?.cost_usd ?? '',
    concurrency: limits.concurrency ?? '',
    queueLength: limits.queue?.length ?? '',
    queueSeconds: limits.queue ? limits.queue.wait_ms / 1_000 : '',
    services: rules.services ?? [],
    clients: rules.clients ?? [],
    models: allowed.length ? 'only' : denied.length ? 'but' : 'all',
    modelList: allowed,
    deniedList: denied,
    ips: rules.addresses ?? [],
    maxOutput: rules.output_tokens_max ?? '',
    maxBodyMb: rules.body_bytes_max ? rules.body_bytes_max / MB : '',
    map: rules.aliases ?? [],
    payload: (rules.payload ?? []).map((rule) =>
      'set' in rule ? rule.set : { path: rule.drop.path, json: '' },
    ),
    bindings: { claude: bound('claude'), openai: bound('openai'), gemini: bound('gemini') },
    fallback: rules.fallback ?? false,
    ends: key.lasts_seconds && !key.first_used_at ? 'first' : key.expires_at ? 'date' : 'never',
    endDate: key.expires_at ? key.expires_at.slice(0, 10) : '',
    lastsDays: key.lasts_seconds ? key.lasts_seconds / DAY : 30,
  }
}

const number = (typed: Typed): number | null => {
  const value = typeof typed === 'number' ? typed : Number.parseFloat(typed)
  return Number.isFinite(value) && value > 0 ? value : null
}

const list = (values: string[]) => {
  const named = values.map((value) => value.trim()).filter(Boolean)
  return named.length ? named : null
}

/** What is sent for a form: every field, null where there is none. */
export function bodyOf(form: KeyForm) {
  const windowed = [form.requests, form.tokens, form.cost].some((it) => number(it) !== null)
  const amount = number(form.windowAmount)
  const weekly = number(form.week) !== null || form.families.some((it) => it.period === 'week')
  const reset = `${form.weekDay}@${form.weekHour}`
  const queued = form.queueLength !== ''
  return {
    name: form.name.trim(),
    owner: form.owner.trim() || null,
    note: form.note.trim() || null,
    tags: list(form.tags),
    expires_at: form.ends === 'date' && form.endDate ? form.endDate : null,
    lasts_seconds: form.ends === 'first' ? (number(form.lastsDays) ?? 0) * DAY || null : null,
    limits: {
      window_seconds: windowed && amount ? Math.round(amount * UNITS[form.windowUnit]) : null,
      requests: number(form.requests),
      tokens: number(form.tokens),
      cost_usd: number(form.cost),
      daily_cost_usd: number(form.day),
      weekly_cost_usd: number(form.week),
      weekly_reset: weekly && reset !== 'mon@00:00' ? reset : null,
      monthly_cost_usd: number(form.month),
      total_cost_usd: number(form.total),
      family_budgets: form.families
        .filter((it) => it.family.trim() && number(it.usd) !== null)
        .map((it) => ({
          family: it.family.trim(),
          usd: number(it.usd) ?? 0,
          period: it.period,
        })),
      concurrency: number(form.concurrency),
      queue: queued
        ? { length: Number(form.queueLength) || 0, wait_seconds: number(form.queueSeconds) ?? 10 }
        : null,
    },
    rules: {
      allow_models: form.models === 'only' ? list(form.modelList) : null,
      deny_models: form.models === 'all' ? null : list(form.deniedList),
      clients: list(form.clients),
      services: list(form.services),
      allow_ips: list(form.ips),
      max_output_tokens: number(form.maxOutput),
      max_body_bytes: (number(form.maxBodyMb) ?? 0) * MB || null,
      map: form.map.filter((it) => it.from.trim() && it.to.trim()),
      payload: form.payload
        .filter((it) => it.path.trim())
        .map((it) =>
          it.json.trim()
            ? { set: { path: it.path.trim(), json: it.json.trim() } }
            : { drop: { path: it.path.trim() } },
        ),
      fallback: form.fallback,
    },
    bindings: Object.fromEntries(
      SERVICES.map((service) => [service, form.bindings[service] || null]),
    ),
  }
}

type Tree = { [name: string]: unknown }
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What of `after` is other than in `before`; the fields of limits and rules one by one. */
export function changes(before: Tree, after: Tree): Tree {
  const out: Tree = {}
  for (const [name, value] of Object.entries(after)) {
    const old = before[name]
    if (JSON.stringify(old) === JSON.stringify(value)) continue
    if (isTree(value) && isTree(old) && ['limits', 'rules', 'bindings'].includes(name)) {
      out[name] = changes(old, value)
    } else out[name] = value
  }
  return out
}

const isNothing = (value: unknown) =>
  value === null || value === false || (Array.isArray(value) && value.length === 0)

/** A body without what is as usual anyhow, for a key that is given out. */
export function set(body: Tree): Tree {
  const out: Tree = {}
  for (const [name, value] of Object.entries(body)) {
    if (isNothing(value)) continue
    if (isTree(value) && ['limits', 'rules', 'bindings'].includes(name)) {
      const inner = set(value)
      if (Object.keys(inner).length) out[name] = inner
    } else out[name] = value
  }
  return out
}

export const addition = (form: KeyForm): KeyFields => {
  const count = number(form.count)
  return { ...set(bodyOf(form)), ...(count ? { count } : {}) } as KeyFields
}
