import type { components } from '../schema'

type Schemas = components['schemas']

export type CallRow = Schemas['CallRow']
export type CallDetail = Schemas['CallDetail']
export type CallsPage = Schemas['CallsPage']
export type Dashboard = Schemas['Dashboard']
export type UsageSeries = Schemas['UsageSeries']
export type UsageTotals = Schemas['UsageTotals']
export type UsageBucket = Schemas['UsageBucket']
export type Bills = Schemas['Bills']
export type BillRow = Schemas['BillRow']
