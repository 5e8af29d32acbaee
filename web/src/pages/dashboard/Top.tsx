import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Dashboard } from '@/api/types/usage'
import { type Column, DataTable } from '@/parts/DataTable'
import { count, money, percent, short } from '@/parts/format'
import { Section } from '@/parts/PageHead'

type Row = Dashboard['top_keys'][number]

interface Props {
  title: string
  rows: Row[]
  all: ReactNode
  onOpen?: (id: string) => void
}

/** The dearest of something. */
export function Top({ title, rows, all, onOpen }: Props) {
  const { t } = useTranslation('dashboard')
  if (rows.length === 0) return null
  const columns: Column<Row>[] = [
    { id: 'name', title: t('name'), cell: (row) => row.name || row.id },
    {
      id: 'calls',
      title: t('calls'),
      number: true,
      cell: (row) => count(row.calls),
      phone: 'none',
    },
    {
      id: 'tokens',
      title: t('tokens'),
      number: true,
      cell: (row) => short(row.tokens),
      phone: 'none',
    },
    {
      id: 'share',
      title: t('share'),
      number: true,
      cell: (row) => percent(row.share_percent),
      phone: 'below',
    },
    {
      id: 'cost',
      title: t('cost'),
      number: true,
      cell: (row) => money(row.cost_usd),
      phone: 'head',
    },
  ]
  return (
    <Section title={title} beside={all}>
      <DataTable
        id="top"
        columns={columns}
        rows={rows}
        idOf={(row) => row.id}
        nameOf={(row) => row.name || row.id}
        empty={null}
        {...(onOpen ? { onOpen: (row: Row) => onOpen(row.id) } : {})}
      />
    </Section>
  )
}
