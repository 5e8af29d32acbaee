import { useTranslation } from 'react-i18next'
import type { KeyItem, KeyStanding } from '@/api/types/keys'
import { ago, count, moment, money, short, span } from '@/parts/format'
import { Gauge } from '@/parts/Gauge'
import { State, type StateKind } from '@/parts/State'

const KIND_OF: Record<KeyItem['state'], StateKind> = {
  active: 'able',
  disabled: 'paused',
  expired: 'failing',
  spent: 'spent',
  removed: 'idle',
}

/** An end that is so near is said. */
const SOON_MILLIS = 7 * 86_400_000

const isFull = (standing: KeyStanding) => standing.max > 0 && standing.used >= standing.max

/** How much of a limit is used, in percent. */
export const used = (standing: KeyStanding) =>
  standing.max > 0 ? (standing.used / standing.max) * 100 : 100

/** The limit that is nearest to its end. */
export const nearest = (key: KeyItem): KeyStanding | undefined =>
  key.standings.reduce<KeyStanding | undefined>(
    (most, one) => (most && used(most) >= used(one) ? most : one),
    undefined,
  )

/** Whether a key may call, and why it may not. */
export function KeyState({ item }: { item: KeyItem }) {
  const { t } = useTranslation('keys')
  const spent = item.standings.find((it) => it.limit !== 'concurrency' && isFull(it))
  const soon =
    item.state === 'active' &&
    item.expires_at &&
    Date.parse(item.expires_at) - Date.now() < SOON_MILLIS
  if (soon && item.expires_at)
    return (
      <State kind="resting" more={moment(item.expires_at)}>
        {t('expiresSoon', { when: ago(item.expires_at) })}
      </State>
    )
  if (item.state === 'active' && !item.first_used_at)
    return (
      <State
        kind="idle"
        more={
          item.lasts_seconds ? t('lastsFromFirst', { span: span(item.lasts_seconds) }) : undefined
        }
      >
        {t('notUsed')}
      </State>
    )
  const more =
    item.state === 'spent' && spent?.resets_at
      ? t('until', { when: moment(spent.resets_at) })
      : item.state === 'expired' && item.expires_at
        ? moment(item.expires_at)
        : undefined
  return (
    <State kind={KIND_OF[item.state]} more={more}>
      {t(`state.${item.state}`)}
    </State>
  )
}

/** An amount of what a limit counts. */
export function amount(unit: string, value: number): string {
  if (unit === 'usd') return money(value)
  return unit === 'tokens' ? short(value) : count(value)
}

/** The name of a limit: of a window, a budget, or a family's budget. */
export function useLimitName() {
  const { t } = useTranslation('keys')
  return (limit: string, windowSeconds?: number | null) => {
    const [family, period] = limit.includes('/') ? limit.split('/') : [null, limit]
    if (family) return t('familyLimit', { family, period: t(`period.${period}`) })
    return t(`limit.${limit}`, { span: windowSeconds ? span(windowSeconds) : '' })
  }
}

/** How much of a limit is used, in words. */
export function useStandingWords() {
  const { t } = useTranslation('keys')
  return (standing: KeyStanding) =>
    t('usedOf', {
      used: amount(standing.unit, standing.used),
      max: amount(standing.unit, standing.max),
    })
}

/** The limit that is nearest to its end, and how many more there are. */
export function NearestLimit({ item }: { item: KeyItem }) {
  const { t } = useTranslation('keys')
  const nameOf = useLimitName()
  const say = useStandingWords()
  const most = nearest(item)
  if (!most) return <span className="quiet">{t('noLimit')}</span>
  const name = nameOf(most.limit, item.limits.window?.seconds)
  const more = item.standings.length - 1
  return (
    <Gauge
      label={`${name}: ${say(most)}`}
      percent={used(most)}
      text={
        <span title={name}>
          {say(most)} {t(`short.${most.limit.split('/').pop()}`)}
        </span>
      }
      beside={more > 0 ? `+${more}` : null}
    />
  )
}
