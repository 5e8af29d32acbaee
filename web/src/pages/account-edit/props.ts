import type { AccountDetail } from '@/api/types/accounts'
import type { AccountForm } from './fields'

export interface RowsProps {
  account: AccountDetail
  form: AccountForm
  set: (change: Partial<AccountForm>) => void
  faultOf: (...fields: string[]) => string | null
}
