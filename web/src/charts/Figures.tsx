import { UnstyledButton } from '@mantine/core'
import { ArrowDown, ArrowUp } from 'lucide-react'
import type { KeyboardEvent, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { percent } from '@/parts/format'
import css from './charts.module.css'

export interface Figure {
  id: string
  label: string
  value: ReactNode
  now: number
  before: number | null
  /** Whether more is better, worse, or neither. */
  better?: 'more' | 'less'
  /** How a difference is said, where a share of the value before says little. */
  difference?: (difference: number) => string
}

interface Props {
  figures: Figure[]
  chosen: string
  onChoose: (id: string) => void
}

const TENFOLD = 10
const STEPS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 }

/** Figures over a chart: each is a tab, press Cost and see cost. On a phone one is shown, large. */
export function Figures({ figures, chosen, onChoose }: Props) {
  const { t } = useTranslation('common')
  const walk = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = STEPS[event.key]
    if (step === undefined) return
    const place = figures.findIndex((figure) => figure.id === chosen)
    const next = figures[(place + step + figures.length) % figures.length]
    if (!next) return
    onChoose(next.id)
    event.currentTarget.querySelector<HTMLElement>(`[data-figure="${next.id}"]`)?.focus()
  }
  const shown = figures.find((figure) => figure.id === chosen)
  return (
    <>
      <div className={css.figures} role="tablist" aria-label={t('figures')} onKeyDown={walk}>
        {figures.map((figure) => (
          <UnstyledButton
            key={figure.id}
            role="tab"
            className={css.figure}
            data-figure={figure.id}
            aria-selected={figure.id === chosen}
            tabIndex={figure.id === chosen ? 0 : -1}
            onClick={() => onChoose(figure.id)}
          >
            <div className={css.label}>{figure.label}</div>
            <div className={css.value}>{figure.value}</div>
            <Change figure={figure} />
          </UnstyledButton>
        ))}
      </div>
      {shown ? (
        <div className={css.hero}>
          <div>
            <div className={css.label}>{shown.label}</div>
            <div className={css.value}>{shown.value}</div>
          </div>
          <Change figure={shown} />
        </div>
      ) : null}
    </>
  )
}

function Change({ figure: { now, before, better, difference } }: { figure: Figure }) {
  const { t } = useTranslation('common')
  if (before === null || before === 0) return <div className={css.change}>{'\u00a0'}</div>
  const moved = now - before
  // Of nearly nothing, everything is a thousandfold.
  if (!difference && Math.abs(moved) > TENFOLD * Math.abs(before)) {
    return <div className={css.change}>{'\u00a0'}</div>
  }
  const said = difference
    ? difference(Math.abs(moved))
    : percent((Math.abs(moved) / Math.abs(before)) * 100)
  const good = better && moved !== 0 ? moved > 0 === (better === 'more') : undefined
  const Arrow = moved >= 0 ? ArrowUp : ArrowDown
  return (
    <div className={css.change}>
      <span data-good={good}>
        <Arrow size={11} aria-hidden /> {said}
      </span>{' '}
      {t('vsBefore')}
    </div>
  )
}
