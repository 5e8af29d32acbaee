import {
  CartesianGrid,
  Line,
  LineChart,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts'
import { colour } from '@/theme/tokens'
import css from './charts.module.css'
import { AsTable, type Bucket, colourOf, Legend, type Series, Tip } from './StackedBars'

interface Props {
  buckets: Bucket[]
  series: Series[]
  say: (value: number) => string
  /** The same, shorter, for the axis. */
  axis?: (value: number) => string
  when: (bucket: Bucket) => string
  tick: (bucket: Bucket) => string
  label: string
  height?: number
  /** From where the axis begins: money from zero, shares from their own minimum. */
  from?: number | 'dataMin'
  to?: number
  /** A line that something stops at. */
  stop?: number
  /** The time before, as a dashed line. */
  before?: (number | null)[]
  asTable?: boolean
}

/** How fast, how well, how full. */
export function Lines({ height = 240, from = 0, to, stop, before, ...props }: Props) {
  const { buckets, series, say, when, tick, label } = props
  const stack = { buckets, series, before: before ? { values: before, total: 0 } : null }
  const rows = buckets.map((bucket, place) => ({
    bucket,
    before: before?.[place] ?? null,
    ...Object.fromEntries(series.map((one) => [one.id, one.values[place] ?? null])),
  }))
  if (props.asTable) return <AsTable stack={stack} say={say} when={when} apart />
  return (
    <figure className={css.chart} aria-label={label}>
      <ResponsiveContainer width="100%" height={height}>
        <LineChart
          data={rows}
          margin={{ top: 8, right: 18, bottom: 0, left: 0 }}
          accessibilityLayer
        >
          <CartesianGrid vertical={false} stroke={colour('line')} syncWithTicks />
          <XAxis
            dataKey={(row: { bucket: Bucket }) => tick(row.bucket)}
            tickLine={false}
            axisLine={false}
            minTickGap={32}
            tick={{ fontSize: 12, fill: colour('ink-3') }}
          />
          <YAxis
            domain={[from, to ?? 'auto']}
            tickFormatter={props.axis ?? say}
            tickLine={false}
            axisLine={false}
            width={60}
            tickCount={4}
            {...(to === undefined ? { niceTicks: 'snap125' as const } : {})}
            tick={{ fontSize: 12, fill: colour('ink-3') }}
          />
          <Tooltip
            isAnimationActive={false}
            content={({ active, payload }) => {
              const row = payload?.[0]?.payload as { bucket: Bucket } | undefined
              if (!active || !row) return null
              const place = buckets.indexOf(row.bucket)
              return <Tip stack={stack} place={place} say={say} when={when} apart />
            }}
          />
          {stop === undefined ? null : (
            <ReferenceLine y={stop} stroke={colour('ink-2')} strokeDasharray="4 3" />
          )}
          {before ? (
            <Line
              dataKey="before"
              stroke={colour('ink-2')}
              strokeDasharray="4 3"
              strokeWidth={1.5}
              dot={false}
              isAnimationActive={false}
            />
          ) : null}
          {series.map((one, place) => (
            <Line
              key={one.id}
              dataKey={one.id}
              name={one.name}
              stroke={colourOf(one, place)}
              strokeWidth={2}
              // A point between gaps is no line.
              dot={isolated(one, buckets.length)}
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      </ResponsiveContainer>
      {series.length > 1 ? <Legend series={series} say={say} apart /> : null}
    </figure>
  )
}

const isolated = (one: Series, buckets: number) => {
  const known = one.values.filter((value) => value !== null).length
  return known < buckets / 2 ? { r: 2, strokeWidth: 0, fill: 'currentColor' } : false
}
