import type { KeySuggestions } from '@/api/types/keys'
import type { KeyForm } from './fields'

export interface RowsProps {
  form: KeyForm
  set: (change: Partial<KeyForm>) => void
  hints: KeySuggestions | undefined
  /** What is wrong with a field, by its name in the request. */
  faultOf: (...fields: string[]) => string | null
  /** What is changed of several keys has no name. */
  part?: 'one' | 'several' | 'bulk'
}
