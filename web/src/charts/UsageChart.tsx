import { Skeleton } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Query } from '@/api/client'
import { useRead } from '@/api/queries'
import type { UsageSeries } from '@/api/types/usage'
import {
  count,
  day,
  duration,
  hour,
  longDay,
  money,
  percent,
  short,
  shortMoney,
} from '@/parts/format'
import { ErrorState } from '@/parts/States'
import { ChartHead } from './ChartHead'
import { Lines } from './Lines'
import { type Bucket, type Series, StackedBars } from './StackedBars'

export type Measure = 'cost' | 'tokens' | 'calls' | 'success' | 'first_byte'

const SAY: Record<Measure, (value: number) => string> = {
  cost: money,
  tokens: short,
  calls: count,
  success: (value) => percent(value, 2),
  first_byte: duration,
}

interface Props {
  title: string
  measure: Measure
  /** Which usage: its range, what it is told apart by, of whom. */
  query: Query
  compare?: boolean
  children?: ReactNode
  height?: number
}

const KINDS = ['cache_read', 'cache_write', 'input', 'output']

/** Usage over time, told apart by something. */
export default function UsageChart({
  title,
  measure,
  query,
  compare,
  children,
  height = 240,
}: Props) {
  const { t } = useTranslation('usage')
  const [table, setTable] = useState(false)
  const asked = { ...query, measure, compare: compare ? 'true' : undefined }
  const read = useRead<UsageSeries>('usage', '/admin/usage/series', asked)
  const isShare = measure === 'success' || measure === 'first_byte'
  const head = (
    <ChartHead
      title={title}
      {...(compare ? { legend: t('sameBefore') } : {})}
      table={table}
      onTable={setTable}
    >
      {children}
    </ChartHead>
  )
  if (read.error && !read.data)
    return (
      <>
        {head}
        <ErrorState error={read.error} retry={read.refetch} />
      </>
    )
  if (!read.data)
    return (
      <>
        {head}
        <Skeleton height={height + 56} aria-busy="true" />
      </>
    )
  const { data } = read
  const zone = data.zone
  const byHour = data.bucket === 'hour'
  const nameOf = (id: string, name: string) =>
    id === 'others'
      ? t('others')
      : id === 'all'
        ? t('all')
        : KINDS.includes(id)
          ? t(`kind.${id}`)
          : name || id
  const series: Series[] = data.series.map((one) => ({
    id: one.id,
    name: nameOf(one.id, one.name),
    values: one.values.map((value) => value ?? null),
    total: one.total ?? 0,
  }))
  const words = {
    when: (bucket: Bucket) =>
      byHour ? `${longDay(bucket.from)} ${hour(bucket.from)}` : longDay(bucket.from, zone),
    tick: (bucket: Bucket) => (byHour ? hour(bucket.from) : day(bucket.from, zone)),
    label: title,
    height,
  }
  return (
    <div style={{ opacity: read.isPlaceholderData ? 0.6 : 1 }}>
      {head}
      {isShare ? (
        <Lines
          buckets={data.buckets}
          series={series}
          say={SAY[measure]}
          from={measure === 'success' ? 'dataMin' : 0}
          {...(measure === 'success' ? { to: 100 } : {})}
          {...(data.before ? { before: data.before.values.map((value) => value ?? null) } : {})}
          asTable={table}
          {...words}
        />
      ) : (
        <StackedBars
          stack={{
            buckets: data.buckets,
            series,
            before: data.before
              ? {
                  values: data.before.values.map((value) => value ?? 0),
                  total: data.before.total ?? 0,
                }
              : null,
          }}
          say={SAY[measure]}
          axis={measure === 'cost' ? shortMoney : short}
          asTable={table}
          {...words}
        />
      )}
    </div>
  )
}
