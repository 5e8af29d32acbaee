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
import { type Bucket, colourOf, type Series } from './StackedBars'

interface Props {
  buckets: Bucket[]
  series: Series[]
  say: (value: number) => string
  when: (bucket: Bucket) => string
  tick: (bucket: Bucket) => string
  label: string
  height?: number
  /** From where the axis begins: money from zero, shares from their own minimum. */
  from?: number | 'dataMin'
  /** A line that something stops at. */
  stop?: number
}

/** How fast, how well, how full. */
export function Lines({
  buckets,
  series,
  say,
  when,
  tick,
  label,
  height = 240,
  from = 0,
  stop,
}: Props) {
  const rows = buckets.map((bucket, place) => ({
    bucket,
    ...Object.fromEntries(series.map((one) => [one.id, one.values[place] ?? null])),
  }))
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
            domain={[from, 'auto']}
            tickFormatter={say}
            tickLine={false}
            axisLine={false}
            width={60}
            tickCount={4}
            niceTicks="snap125"
            tick={{ fontSize: 12, fill: colour('ink-3') }}
          />
          <Tooltip
            isAnimationActive={false}
            content={({ active, payload }) => {
              const row = payload?.[0]?.payload as { bucket: Bucket } | undefined
              if (!active || !row) return null
              const place = buckets.indexOf(row.bucket)
              return (
                <div className={css.tip}>
                  <b className={css.tipWhen}>{when(row.bucket)}</b>
                  {series.map((one, at) => (
                    <div key={one.id}>
                      <span>
                        <i className={css.swatch} style={{ background: colourOf(one, at) }} />
                        {one.name}
                      </span>
                      <span>{say(one.values[place] ?? 0)}</span>
                    </div>
                  ))}
                </div>
              )
            }}
          />
          {stop === undefined ? null : (
            <ReferenceLine y={stop} stroke={colour('ink-2')} strokeDasharray="4 3" />
          )}
          {series.map((one, place) => (
            <Line
              key={one.id}
              dataKey={one.id}
              name={one.name}
              stroke={colourOf(one, place)}
              strokeWidth={2}
              dot={false}
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      </ResponsiveContainer>
    </figure>
  )
}
