import type { components } from '../schema'

type Schemas = components['schemas']

export type KeyItem = Schemas['KeyItem']
export type KeyPage = Schemas['KeyPage']
export type KeyFields = Schemas['KeyFields']
export type KeyStanding = Schemas['KeyStanding']
export type KeyAction = Schemas['KeyAction']
export type KeyBulkDone = Schemas['KeyBulkDone']
export type KeySuggestions = Schemas['KeySuggestions']
export type Issued = Schemas['Issued']
export type IssuedItem = Schemas['IssuedItem']
export type RotatedItem = Schemas['RotatedItem']
