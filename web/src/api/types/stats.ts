import type { components } from '../schema'
import type { KeyStanding } from './keys'

type Schemas = components['schemas']

export type Price = Schemas['Price']
export type PricePage = Schemas['PricePage']
export type PriceImport = Schemas['PriceImport']
export type ServedModel = Schemas['ServedModel']
export type Settings = Schemas['Settings']

interface Sum {
  calls: number
  tokens: number
  cost_usd: number
}

interface Kinds extends Sum {
  input: number
  output: number
  cache_read: number
  cache_write: number
}

/** How a key stands, for who holds it: GET /web/api/holder, which is no part of the admin API. */
export interface Holder {
  name: string
  state: 'active' | 'disabled' | 'expired' | 'spent' | 'removed'
  expires_at: string | null
  owner: string
  limits: { window?: { seconds: number } }
  standings: KeyStanding[]
  used: Sum
  rules: {
    allowed_models: string[]
    denied_models: string[]
    services: string[]
    clients: string[]
    max_output_tokens: number | null
  }
  today: Sum
  zone: string
  days: (Kinds & { day: string })[]
  hours: (Kinds & { from: string })[]
  models: (Sum & { model: string })[]
  refused_24h: Record<string, number>
  title: string
  notice: string
}

/** How the page is called: GET /web/api/site. */
export interface Site {
  title: string
  logo: string
  notice: string
  zone: string
}
