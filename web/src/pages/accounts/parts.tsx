import { useTranslation } from 'react-i18next'
import type { AccountItem, AccountWindow } from '@/api/types/accounts'
import { moment } from '@/parts/format'
import { Gauge } from '@/parts/Gauge'
import { State, type StateKind } from '@/parts/State'

const KIND_OF: Record<AccountItem['state'], StateKind> = {
  able: 'able',
  resting: 'resting',
  signed_out: 'failing',
  ended: 'failing',
  paused: 'paused',
}

/** How long the windows last that providers have. */
const SECONDS: Record<string, number> = { '5h': 5 * 3_600, '7d': 7 * 86_400 }

/** Whether an account serves, and why it does not. */
export function AccountState({ account }: { account: AccountItem }) {
  const { t } = useTranslation('accounts')
  const until = account.resumes_at ? moment(account.resumes_at) : ''
  const word =
    account.state === 'resting' && until
      ? t('state.restingUntil', { until })
      : t(`state.${account.state}`)
  return (
    <State kind={KIND_OF[account.state]} more={account.reason}>
      {word}
    </State>
  )
}

/** Of a window, how much of its time has passed, in percent. */
function passed(window: AccountWindow): number | null {
  const lasts = SECONDS[window.window.split(' ')[0] ?? '']
  if (!lasts || !window.resets_at) return null
  const left = (Date.parse(window.resets_at) - Date.now()) / 1_000
  return 100 * (1 - left / lasts)
}

/** How full a quota window is, as the provider says. */
export function WindowGauge({ account, name }: { account: AccountItem; name: string }) {
  const { t } = useTranslation('accounts')
  const window = account.windows.find((it) => it.window === name)
  if (!window) return <span className="quiet">–</span>
  return (
    <Gauge
      label={t('windowOf', { window: name, name: account.name })}
      percent={window.used_percent}
      passed={passed(window)}
      text={`${Math.round(window.used_percent)}%`}
      beside={window.resets_at ? t('to', { at: moment(window.resets_at) }) : null}
    />
  )
}
