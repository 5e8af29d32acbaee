import type { ReactNode } from 'react'
import css from './parts.module.css'

export type Level = 'fine' | 'near' | 'full'

/** Amber from 85 %, or when the pace says so; red when nothing is left. */
export const levelOf = (percent: number, endsEarly = false): Level =>
  percent >= 100 ? 'full' : percent >= 85 || endsEarly ? 'near' : 'fine'

interface Props {
  /** What is measured, for who cannot see it. */
  label: string
  /** How much is used, in percent. */
  percent: number
  /** How much of the window's time has passed, in percent: shown as a mark. */
  passed?: number | null
  /** Over the bar, left and right. */
  text?: ReactNode
  beside?: ReactNode
  /** Whether it will be full before it begins anew. */
  endsEarly?: boolean
}

/** How full a window or a budget is. */
export function Gauge({ label, percent, passed, text, beside, endsEarly }: Props) {
  const level = levelOf(percent, endsEarly)
  const shown = Math.max(0, Math.min(100, percent))
  return (
    <div>
      {text || beside ? (
        <div className={css.gaugeText} data-level={level}>
          <span>{text}</span>
          <span className="quiet">{beside}</span>
        </div>
      ) : null}
      {/* biome-ignore lint/a11y/useSemanticElements: a meter of HTML takes no mark and no colours */}
      <div
        className={css.gauge}
        data-level={level}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(shown)}
      >
        <i style={{ width: `${shown}%` }} />
        {passed === null || passed === undefined ? null : (
          <b style={{ left: `${Math.max(0, Math.min(100, passed))}%` }} />
        )}
      </div>
    </div>
  )
}

const PIPS_MAX = 10

/** Calls under way, of as many as may be. */
export function Pips({ label, now, most }: { label: string; now: number; most: number | null }) {
  if (most === null || most > PIPS_MAX) {
    return (
      <span title={label}>
        {now}
        {most === null ? '' : `/${most}`}
      </span>
    )
  }
  const places = Array.from({ length: most }, (_, index) => index)
  return (
    <span className={css.pips} role="img" aria-label={`${label}: ${now} / ${most}`}>
      {places.map((place) => (
        <i key={place} data-on={place < now} />
      ))}
      <span>
        <b>{now}</b>/{most}
      </span>
    </span>
  )
}
