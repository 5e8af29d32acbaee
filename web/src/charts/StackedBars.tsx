import { useTranslation } from 'react-i18next'
import {
  Bar,
  CartesianGrid,
  Cell,
  ComposedChart,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts'
import { percent } from '@/parts/format'
import { colour, SERIES, type Token } from '@/theme/tokens'
import css from './charts.module.css'

export interface Bucket {
  from: string
  to: string
  /** Whether its time has not passed yet. */
  partial: boolean
}

export interface Series {
  id: string
  name: string
  /** Null where there is nothing to tell. */
  values: (number | null)[]
  total: number
}

export interface Stack {
  buckets: Bucket[]
  series: Series[]
  before: { values: (number | null)[]; total: number } | null
}

interface Props {
  stack: Stack
  /** A value in words, and short for the axis. */
  say: (value: number) => string
  axis: (value: number) => string
  /** A bucket in words, and short for the axis. */
  when: (bucket: Bucket) => string
  tick: (bucket: Bucket) => string
  height?: number
  /** What the chart is of, for who cannot see it. */
  label: string
  asTable?: boolean
}

const OTHERS: Token = 'series-others'

/** The colour of the n-th series; the last one may be all others. */
export const colourOf = (series: Series, place: number) =>
  colour(series.id === 'others' ? OTHERS : (SERIES[place % SERIES.length] as Token))

/** How much, and of what: by day or hour, with the time before as a dashed line. */
export function StackedBars({ stack, say, axis, when, tick, height = 240, label, asTable }: Props) {
  const { t } = useTranslation('common')
  const rows = stack.buckets.map((bucket, place) => ({
    bucket,
    before: stack.before?.values[place] ?? null,
    ...Object.fromEntries(stack.series.map((one) => [one.id, one.values[place] ?? 0])),
  }))
  if (asTable) return <AsTable stack={stack} say={say} when={when} />
  return (
    <figure className={css.chart} aria-label={label}>
      <ResponsiveContainer width="100%" height={height}>
        <ComposedChart
          data={rows}
          margin={{ top: 8, right: 14, bottom: 0, left: 0 }}
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
            tickFormatter={axis}
            tickLine={false}
            axisLine={false}
            width={52}
            tickCount={4}
            niceTicks="snap125"
            tick={{ fontSize: 12, fill: colour('ink-3') }}
          />
          <Tooltip
            isAnimationActive={false}
            cursor={{ fill: colour('hover') }}
            content={({ active, payload }) => {
              const row = payload?.[0]?.payload as { bucket: Bucket } | undefined
              if (!active || !row) return null
              return (
                <Tip
                  stack={stack}
                  place={stack.buckets.indexOf(row.bucket)}
                  say={say}
                  when={when}
                />
              )
            }}
          />
          {stack.series.map((one, place) => (
            <Bar
              key={one.id}
              dataKey={one.id}
              stackId="all"
              fill={colourOf(one, place)}
              stroke={colour('bg')}
              strokeWidth={1}
              maxBarSize={28}
              isAnimationActive={false}
            >
              {rows.map((row) => (
                <Cell key={row.bucket.from} fillOpacity={row.bucket.partial ? 0.5 : 1} />
              ))}
            </Bar>
          ))}
          {stack.before ? (
            <Line
              dataKey="before"
              type="monotone"
              stroke={colour('ink-2')}
              strokeDasharray="4 3"
              strokeWidth={1.5}
              dot={false}
              isAnimationActive={false}
              name={t('before')}
            />
          ) : null}
        </ComposedChart>
      </ResponsiveContainer>
      <Legend series={stack.series} say={say} />
    </figure>
  )
}

const sum = (values: (number | null)[]) => values.reduce<number>((all, one) => all + (one ?? 0), 0)

/** Whether what is shown does not add up: shares and means. */
interface Apart {
  apart?: boolean
}

export function Tip({
  stack,
  place,
  say,
  when,
  apart,
}: Pick<Props, 'stack' | 'say' | 'when'> & { place: number } & Apart) {
  const { t } = useTranslation('common')
  const bucket = stack.buckets[place]
  if (!bucket) return null
  const total = sum(stack.series.map((one) => one.values[place] ?? 0))
  const before = stack.before?.values[place] ?? undefined
  const change = before && !apart ? ((total - before) / before) * 100 : null
  return (
    <div className={css.tip}>
      <b className={css.tipWhen}>{when(bucket)}</b>
      {apart ? null : (
        <div>
          <span>{t('total')}</span>
          <b>{say(total)}</b>
        </div>
      )}
      {before === undefined ? null : (
        <div>
          <span>{t('before')}</span>
          <span>
            {say(before)}
            <span className="quiet">
              {change === null ? '' : ` ${change >= 0 ? '+' : '−'}${percent(Math.abs(change), 0)}`}
            </span>
          </span>
        </div>
      )}
      {apart && before === undefined ? null : <hr />}
      {stack.series.map((one, at) => (
        <div key={one.id}>
          <span>
            <i className={css.swatch} style={{ background: colourOf(one, at) }} />
            {one.name}
          </span>
          <span>{saidOf(one.values[place], say, apart)}</span>
        </div>
      ))}
    </div>
  )
}

/** A value; what is not known is none of those that add up, and a dash among the others. */
const saidOf = (value: number | null | undefined, say: Props['say'], apart?: boolean) =>
  apart && (value === null || value === undefined) ? '–' : say(value ?? 0)

export function Legend({ series, say, apart }: Pick<Props, 'say'> & { series: Series[] } & Apart) {
  const all = sum(series.map((one) => one.total))
  return (
    <ul className={css.legend}>
      {series.map((one, place) => (
        <li key={one.id}>
          <div className={css.legendName}>
            <i className={css.swatch} style={{ background: colourOf(one, place) }} />
            {one.name}
          </div>
          <div className={css.legendValue}>
            {say(one.total)}
            <span>{all && !apart ? ` · ${percent((one.total / all) * 100, 0)}` : ''}</span>
          </div>
        </li>
      ))}
    </ul>
  )
}

export function AsTable({
  stack,
  say,
  when,
  apart,
}: Pick<Props, 'stack' | 'say' | 'when'> & Apart) {
  const { t } = useTranslation('common')
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <div className={css.tableBox} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th> </th>
            {stack.series.map((one) => (
              <th key={one.id}>{one.name}</th>
            ))}
            {apart ? null : <th>{t('total')}</th>}
            {stack.before ? <th>{t('before')}</th> : null}
          </tr>
        </thead>
        <tbody>
          {stack.buckets.map((bucket, place) => (
            <tr key={bucket.from}>
              <td>{when(bucket)}</td>
              {stack.series.map((one) => (
                <td key={one.id}>{saidOf(one.values[place], say, apart)}</td>
              ))}
              {apart ? null : (
                <td>{say(sum(stack.series.map((one) => one.values[place] ?? 0)))}</td>
              )}
              {stack.before ? <td>{saidOf(stack.before.values[place], say, apart)}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
