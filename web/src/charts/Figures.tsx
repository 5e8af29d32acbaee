import { UnstyledButton } from '@mantine/core'
import { ArrowDown, ArrowUp } from 'lucide-react'
import type { ReactNode } from 'react'
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

/** Figures over a chart: each is a tab, press Cost and see cost. */
export function Figures({
  figures,
  chosen,
  onChoose,
}: {
  figures: Figure[]
  chosen: string
  onChoose: (id: string) => void
}) {
  return (
    <div className={css.figures} role="tablist">
      {figures.map((figure) => (
        <UnstyledButton
          key={figure.id}
          role="tab"
          className={css.figure}
          aria-selected={figure.id === chosen}
          onClick={() => onChoose(figure.id)}
        >
          <div className={css.label}>{figure.label}</div>
          <div className={css.value}>{figure.value}</div>
          <Change figure={figure} />
        </UnstyledButton>
      ))}
    </div>
  )
}

function Change({ figure: { now, before, better, difference } }: { figure: Figure }) {
  const { t } = useTranslation('common')
  if (before === null || before === 0) return <div className={css.change}>{"\u00a0"}</div>
  const moved = now - before
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
