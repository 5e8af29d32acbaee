import { Button } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import { useMayChange } from '@/api/session'
import { useLive } from '@/live/live'
import { type Column, DataTable } from '@/parts/DataTable'
import { duration, short } from '@/parts/format'
import { Section } from '@/parts/PageHead'
import { useProblem } from '@/parts/States'
import { Two } from '@/parts/TableTools'

/** A call that is open. */
interface Open {
  id: string
  key: string
  owner: string
  account: string | null
  model: string
  age_ms: number
  phase: string
  output_tokens: number
  client: string
}

/** Who is calling now, and what ends a call. */
export function Calling() {
  const { t } = useTranslation('dashboard')
  const problem = useProblem()
  const mayChange = useMayChange()
  const live = useLive()
  const open = live?.calls_open ?? 0
  const finished = live?.finished.calls ?? 0
  const read = useRead<Open[]>('open', '/admin/live/calls', {}, open > 0)
  // Who calls is other once a call begins or ends.
  useEffect(() => {
    if (open + finished > 0) void refresh('open')
  }, [open, finished])
  const calls = open > 0 ? (read.data ?? []) : []
  if (calls.length === 0) return null
  const cancel = (call: Open) => () =>
    post(`/admin/live/calls/${call.id}/cancel`)
      .then(() => refresh('open'))
      .catch((error) => notifications.show({ color: 'red', message: problem(error) }))
  const columns: Column<Open>[] = [
    {
      id: 'key',
      title: t('key'),
      cell: (row) => <Two first={row.key} second={row.owner || row.client} />,
    },
    { id: 'model', title: t('model'), cell: (row) => row.model, phone: 'below' },
    { id: 'account', title: t('account'), cell: (row) => row.account ?? '–', phone: 'none' },
    { id: 'phase', title: t('phaseTitle'), cell: (row) => t(`phase.${row.phase}`), phone: 'none' },
    {
      id: 'output',
      title: t('output'),
      number: true,
      cell: (row) => short(row.output_tokens),
      phone: 'none',
    },
    {
      id: 'age',
      title: t('since'),
      number: true,
      cell: (row) => duration(row.age_ms),
      phone: 'head',
    },
  ]
  return (
    <Section title={t('calling')}>
      <DataTable
        id="open"
        columns={columns}
        rows={calls.slice(0, 20)}
        idOf={(row) => row.id}
        nameOf={(row) => row.key}
        empty={null}
        {...(mayChange
          ? {
              quick: (row: Open) => (
                <Button size="compact-sm" variant="default" onClick={cancel(row)}>
                  {t('cancel')}
                </Button>
              ),
            }
          : {})}
      />
    </Section>
  )
}
