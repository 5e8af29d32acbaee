import { useTranslation } from 'react-i18next'
import { duration, percent } from '@/parts/format'
import { colour, type Token } from '@/theme/tokens'
import css from './charts.module.css'

const heights = (values: number[]) => {
  const most = Math.max(1, ...values)
  return values.map((value) => `${(value / most) * 100}%`)
}

/** Is it moving now: a bar a minute, the present one full. */
export function MinuteBars({ values, label }: { values: number[]; label: string }) {
  const { t } = useTranslation('common')
  return (
    <div>
      <div className={css.minutes} role="img" aria-label={label}>
        {heights(values).map((height, minute) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a minute is its place
          <i key={minute} style={{ height }} />
        ))}
      </div>
      <div
        className="quiet"
        style={{ display: 'flex', justifyContent: 'space-between', fontSize: 12 }}
      >
        <span>{t('hourAgo')}</span>
        <span>{t('now')}</span>
      </div>
    </div>
  )
}

/** A few days within a row of a table. */
export const Spark = ({ values, label }: { values: number[]; label: string }) => (
  <span className={css.spark} role="img" aria-label={label}>
    {heights(values).map((height, day) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: a day is its place
      <i key={day} style={{ height }} />
    ))}
  </span>
)

export interface Stretch {
  from: string
  to: string
  state: 'able' | 'resting' | 'failing' | 'paused' | 'unknown'
}

const STRIP: Record<Stretch['state'], Token> = {
  able: 'able',
  resting: 'resting-bar',
  failing: 'failing-bar',
  paused: 'series-others',
  unknown: 'track',
}

/** Was it able: one strip of states over time, with the share in words. */
export function AbilityStrip({
  stretches,
  label,
}: {
  stretches: Stretch[]
  label: (able: string) => string
}) {
  const lasts = (one: Stretch) => Date.parse(one.to) - Date.parse(one.from)
  const all = stretches.reduce((sum, one) => sum + lasts(one), 0) || 1
  const able = stretches
    .filter((one) => one.state === 'able')
    .reduce((sum, one) => sum + lasts(one), 0)
  const said = label(percent((able / all) * 100))
  return (
    <div>
      <div className={css.strip} role="img" aria-label={said}>
        {stretches.map((one) => (
          <i key={one.from} style={{ flex: lasts(one), background: colour(STRIP[one.state]) }} />
        ))}
      </div>
      <div className="quiet" style={{ fontSize: 12, marginTop: 4 }}>
        {said}
      </div>
    </div>
  )
}

export interface AttemptBar {
  id: string
  name: string
  /** Milliseconds after the call began, and how long it took. */
  after: number
  millis: number
  good: boolean
}

/** Where the time of a call went: one bar an attempt on a common axis. */
export function AttemptBars({ attempts, total }: { attempts: AttemptBar[]; total: number }) {
  const share = (millis: number) => `${(millis / Math.max(1, total)) * 100}%`
  return (
    <div className={css.attempts}>
      {attempts.map((one) => [
        <span key={`${one.id}-name`}>{one.name}</span>,
        <span key={`${one.id}-lane`} className={css.lane}>
          <i
            style={{
              left: share(one.after),
              width: share(one.millis),
              background: colour(one.good ? 'accent' : 'failing-bar'),
            }}
          />
        </span>,
        <span key={`${one.id}-time`} className="num">
          {duration(one.millis)}
        </span>,
      ])}
    </div>
  )
}
