import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { CallRow } from '@/api/types/usage'
import { type Column, DataTable, type TableProps } from '@/parts/DataTable'
import { clock, duration, exactMoment, moment, money, short } from '@/parts/format'
import { Two } from '@/parts/TableTools'
import css from './calls.module.css'
import { Ended, modelOf } from './words'

interface Props extends Partial<TableProps<CallRow>> {
  calls: CallRow[] | undefined
  /** What is the same in all of them. */
  without?: 'key' | 'account'
}

/** Calls, one a line. */
export function CallLines({ calls, without, ...more }: Props) {
  const { t } = useTranslation('calls')
  const navigate = useNavigate()
  const columns: Column<CallRow>[] = [
    {
      id: 'time',
      title: t('time'),
      cell: (row) => (
        <time dateTime={row.at} title={exactMoment(row.at)} className={css.time}>
          {clock(row.at)}
        </time>
      ),
    },
    ...(without === 'key'
      ? []
      : [
          {
            id: 'key',
            title: t('key'),
            cell: (row: CallRow) => <Two first={row.key.name} second={row.owner} />,
          },
        ]),
    {
      id: 'model',
      title: t('model'),
      cell: (row) => (
        <Two
          first={modelOf(row)}
          second={
            row.model_served && row.model_served !== row.model_asked
              ? t('askedFor', { model: row.model_asked })
              : undefined
          }
        />
      ),
      phone: 'below',
    },
    ...(without === 'account'
      ? []
      : [
          {
            id: 'account',
            title: t('account'),
            hides: !without,
            cell: (row: CallRow) => row.account.name,
            phone: 'none' as const,
          },
        ]),
    {
      id: 'tokens',
      title: t('inOut'),
      number: true,
      hides: !without,
      cell: (row) => `${short(row.input + row.cache_write)} / ${short(row.output)}`,
      phone: 'none',
    },
    {
      id: 'cache',
      title: t('fromCache'),
      number: true,
      hides: !without,
      cell: (row) => short(row.cache_read),
      phone: 'none',
    },
    {
      id: 'first',
      title: t('firstByte'),
      number: true,
      hides: !without,
      cell: (row) => (row.first_byte_ms == null ? '–' : duration(row.first_byte_ms)),
      phone: 'none',
    },
    {
      id: 'cost',
      title: t('cost'),
      number: true,
      cell: (row) => money(row.cost_usd),
      phone: 'head',
    },
    { id: 'outcome', title: t('outcomeTitle'), cell: (row) => <Ended call={row} /> },
  ]
  return (
    <DataTable
      id={without ? `calls-without-${without}` : 'calls'}
      columns={columns}
      rows={calls}
      idOf={(row) => row.id}
      nameOf={(row) => `${row.key.name}, ${moment(row.at)}`}
      empty={null}
      onOpen={(row) => navigate({ to: '/calls', search: { call: row.id } as never })}
      {...more}
    />
  )
}
