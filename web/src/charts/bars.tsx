import { CircleCheck, CircleDashed, CircleX, Clock } from 'lucide-react'
import type { ReactNode } from 'react'
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
  /** Nothing is known of times before the relay ran, or that are forgotten. */
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
  ticks,
  label,
}: {
  stretches: Stretch[]
  /** Days below the strip, as far from each other; the end is now. */
  ticks?: string[]
  label: (able: string) => string
}) {
  const lasts = (one: Stretch) => Date.parse(one.to) - Date.parse(one.from)
  const known = stretches.filter((one) => one.state !== 'unknown')
  const all = known.reduce((sum, one) => sum + lasts(one), 0) || 1
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
      {ticks ? (
        <div className={css.days} aria-hidden>
          {ticks.map((tick) => (
            <span key={tick}>{tick}</span>
          ))}
        </div>
      ) : null}
      <div className={css.stripSaid} aria-hidden>
        {said}
      </div>
    </div>
  )
}

export interface AttemptBar {
  id: string
  /** Its account. */
  name: ReactNode
  /** What came of it, and what that meant. */
  said: ReactNode
  more?: ReactNode
  /** Milliseconds after the call began, and how long it took. */
  after: number
  millis: number
  /** How much of that was waiting for the answer to begin. */
  waited: number
  kind: 'able' | 'resting' | 'failing' | 'idle'
}

const SIGNS = { able: CircleCheck, resting: Clock, failing: CircleX, idle: CircleDashed }
const FILLS: Record<AttemptBar['kind'], Token> = {
  able: 'accent',
  idle: 'accent',
  resting: 'resting-bar',
  failing: 'failing-bar',
}
const TICKS = [0, 0.25, 0.5, 0.75, 1]

/** Where the time of a call went: one bar an attempt on a common axis, waiting pale. */
export function AttemptBars({ attempts, total }: { attempts: AttemptBar[]; total: number }) {
  const share = (millis: number) =>
    `${Math.min(100, Math.max(0, (millis / Math.max(1, total)) * 100))}%`
  return (
    <div className={css.attempts}>
      <ol>
        {attempts.map((one) => {
          const Sign = SIGNS[one.kind]
          const good = one.kind === 'able' || one.kind === 'idle'
          return (
            <li key={one.id} data-kind={one.kind}>
              <Sign size={18} aria-hidden className={css.sign} />
              <div className={css.attempt}>
                <span>
                  <b>{one.name}</b> <span>{one.said}</span>
                </span>
                <span className="num">{duration(one.millis)}</span>
              </div>
              {one.more ? <div className={css.attemptMore}>{one.more}</div> : null}
              <div className={css.lane} aria-hidden>
                {good ? (
                  <i
                    style={{
                      left: share(one.after),
                      width: share(one.waited),
                      background: colour('bar-pale'),
                    }}
                  />
                ) : null}
                <i
                  style={{
                    left: share(one.after + (good ? one.waited : 0)),
                    width: share(one.millis - (good ? one.waited : 0)),
                    background: colour(FILLS[one.kind]),
                  }}
                />
              </div>
            </li>
          )
        })}
      </ol>
      <div className={css.ticks} aria-hidden>
        {TICKS.map((part) => (
          <span key={part}>{duration(Math.round(total * part))}</span>
        ))}
      </div>
    </div>
  )
}
