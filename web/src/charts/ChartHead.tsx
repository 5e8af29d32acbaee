import { ActionIcon } from '@mantine/core'
import { ChartColumn, Table2 } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import css from './charts.module.css'

interface Props {
  title: string
  /** What a dashed line stands for. */
  legend?: string
  /** What the chart is told apart by, and the like. */
  children?: ReactNode
  /** Whether it is shown as a table, where it can be. */
  table?: boolean
  onTable?: (table: boolean) => void
}

/** The head of a chart; each can be read as a table. */
export function ChartHead({ title, legend, children, table, onTable }: Props) {
  const { t } = useTranslation('common')
  const name = table ? t('asChart') : t('asTable')
  const Icon = table ? ChartColumn : Table2
  return (
    <div className={css.bodyHead}>
      <h2>{title}</h2>
      {legend ? (
        <span className={css.dashed}>
          <i className={css.dash} aria-hidden />
          {legend}
        </span>
      ) : null}
      {children}
      {onTable ? (
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={name}
          title={name}
          onClick={() => onTable(!table)}
        >
          <Icon size={17} aria-hidden />
        </ActionIcon>
      ) : null}
    </div>
  )
}

/** The one bordered panel of a page: figures over a chart. */
export const ChartPanel = ({ figures, children }: { figures?: ReactNode; children: ReactNode }) => (
  <div className={css.panel}>
    {figures}
    <div className={css.body}>{children}</div>
  </div>
)
