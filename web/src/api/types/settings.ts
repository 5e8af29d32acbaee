import type { components } from '../schema'

type Schemas = components['schemas']

export type Place = Schemas['PlaceView']
export type Factor = Schemas['FactorView']
export type Admin = Schemas['AdminView']
export type Token = Schemas['TokenView']
export type TokenMade = Schemas['TokenMade']
export type AuditLines = Schemas['Listed_AuditView']
export type AuditLine = Schemas['AuditView']
