import { useTranslation } from 'react-i18next'
import type { CallRow } from '@/api/types/usage'
import { State, type StateKind } from '@/parts/State'

const KIND_OF: Record<string, StateKind> = {
  completed: 'able',
  client_left: 'idle',
  cancelled: 'idle',
}

/** How a call ended, in words. */
export function Ended({ call }: { call: CallRow }) {
  const { t } = useTranslation('calls')
  const words = [t(`outcome.${call.outcome}`)]
  if (call.outcome !== 'completed' && call.status >= 400) words.push(String(call.status))
  if (call.attempts > 1 && call.outcome === 'completed')
    words.push(t('attempt', { count: call.attempts }))
  if (call.exactness !== 'exact') words.push(t('estimated'))
  return <State kind={KIND_OF[call.outcome] ?? 'failing'}>{words.join(' · ')}</State>
}

/** The model that answered, and what was asked for where that is another. */
export const modelOf = (call: CallRow) => call.model_served || call.model_asked
