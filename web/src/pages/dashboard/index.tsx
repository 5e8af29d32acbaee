import { Button, SegmentedControl, Skeleton } from '@mantine/core'
import { Link, useNavigate } from '@tanstack/react-router'
import { ChevronRight, TriangleAlert } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { useRead } from '@/api/queries'
import type { Dashboard } from '@/api/types/usage'
import { ChartPanel } from '@/charts/ChartHead'
import { type Figure, Figures } from '@/charts/Figures'
import type { Measure } from '@/charts/UsageChart'
import { LiveDot } from '@/live/LiveDot'
import { count, duration, money, percent, short, span } from '@/parts/format'
import { PageHead, TwoColumns } from '@/parts/PageHead'
import { type Range, RangePicker } from '@/parts/RangePicker'
import { EmptyState, ErrorState } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { Aside } from './Aside'
import { Calling } from './Calling'
import css from './dashboard.module.css'
import { Top } from './Top'

const UsageChart = lazy(() => import('@/charts/UsageChart'))
const DEFAULTS = { range: '24h', figure: 'cost', by: 'model' }
const SPLITS = ['model', 'key', 'account'] as const

/** Is it well, what does it cost, who uses it, what is to be done. */
export default function DashboardPage() {
  const { t } = useTranslation('dashboard')
  const navigate = useNavigate()
  const [view, setView] = useInAddress(DEFAULTS)
  const range = view.range as Range
  const read = useRead<Dashboard>('usage', '/admin/dashboard', { range })
  const board = read.data
  const head = (
    <PageHead title={t('title')} beside={<LiveDot />}>
      <RangePicker value={range} onChange={(next) => setView({ range: next })} />
    </PageHead>
  )
  if (read.error && !board)
    return (
      <>
        {head}
        <ErrorState error={read.error} retry={read.refetch} />
      </>
    )
  if (!board)
    return (
      <>
        {head}
        <Skeleton height={520} aria-busy="true" />
      </>
    )
  return (
    <>
      {head}
      <NeedsYou board={board} />
      {board.has_calls ? (
        <TwoColumns side={<Aside board={board} />}>
          <div style={{ opacity: read.isPlaceholderData ? 0.6 : 1 }}>
            <Usage board={board} view={view} setView={setView} range={range} />
            <Top
              title={t('topKeys')}
              rows={board.top_keys}
              all={<Link to="/keys">{t('allKeys')}</Link>}
              onOpen={(id) => navigate({ to: '/keys/$key', params: { key: id } })}
            />
            <Top
              title={t('topModels')}
              rows={board.top_models}
              all={<Link to="/prices">{t('allModels')}</Link>}
            />
            <Calling />
          </div>
        </TwoColumns>
      ) : (
        <EmptyState title={t('empty')} text={t('emptyText')}>
          <Button component={Link} to="/first-run">
            {t('firstSteps')}
          </Button>
        </EmptyState>
      )}
      <p className={css.program}>
        {t('program', { version: board.version, up: span(board.uptime_seconds) })}
      </p>
    </>
  )
}

/** What only a person can mend. */
function NeedsYou({ board }: { board: Dashboard }) {
  const { t } = useTranslation('dashboard')
  const failing = board.needs.filter((it) => it.state === 'signed_out' || it.state === 'ended')
  if (failing.length === 0) return null
  const said = failing.slice(0, 3).map((it) => `${it.name}: ${it.reason}`)
  return (
    <Link to="/accounts" search={{ state: 'failing' } as never} className={css.needs}>
      <TriangleAlert size={18} aria-hidden />
      <span>
        <b>{t('needsYou', { count: failing.length })}</b> {said.join('; ')}
        {board.accounts.able > 0 ? ` ${t('othersCarry')}` : ''}
      </span>
      <span className={css.review}>
        {t('review')}
        <ChevronRight size={16} aria-hidden />
      </span>
    </Link>
  )
}

interface UsageProps {
  board: Dashboard
  view: Record<string, string | number | undefined>
  setView: (change: Record<string, string>) => void
  range: Range
}

function Usage({ board, view, setView, range }: UsageProps) {
  const { t } = useTranslation('dashboard')
  const { totals, before } = board
  const figures: Figure[] = [
    {
      id: 'cost',
      label: t('figure.cost'),
      value: money(totals.cost_usd),
      now: totals.cost_usd,
      before: before.cost_usd,
    },
    {
      id: 'calls',
      label: t('figure.calls'),
      value: count(totals.calls),
      now: totals.calls,
      before: before.calls,
    },
    {
      id: 'tokens',
      label: t('figure.tokens'),
      value: short(totals.tokens),
      now: totals.tokens,
      before: before.tokens,
    },
    {
      id: 'success',
      label: t('figure.success'),
      value: totals.success_percent == null ? '–' : percent(totals.success_percent, 2),
      now: totals.success_percent ?? 0,
      before: totals.success_percent == null ? null : (before.success_percent ?? null),
      better: 'more',
      difference: (points) => t('points', { value: points.toFixed(2) }),
    },
    {
      id: 'first_byte',
      label: t('figure.first_byte'),
      value: totals.first_byte_ms == null ? '–' : duration(totals.first_byte_ms),
      now: totals.first_byte_ms ?? 0,
      before: totals.first_byte_ms == null ? null : (before.first_byte_ms ?? null),
      better: 'less',
      difference: duration,
    },
  ]
  const figure = String(view.figure) as Measure
  const isShare = figure === 'success' || figure === 'first_byte'
  const by = String(view.by)
  const splits = figure === 'tokens' ? [...SPLITS, 'token_kind'] : SPLITS
  const split = isShare ? 'none' : (splits as readonly string[]).includes(by) ? by : 'model'
  const title = isShare
    ? t(`chart.${figure}`)
    : t('chartBy', { what: t(`chart.${figure}`), by: t(`by.${split}`) })
  return (
    <ChartPanel
      figures={
        <Figures figures={figures} chosen={figure} onChoose={(next) => setView({ figure: next })} />
      }
    >
      <Suspense fallback={<Skeleton height={330} />}>
        <UsageChart title={title} measure={figure} query={{ range, by: split }} compare>
          {isShare ? null : (
            <SegmentedControl
              size="xs"
              aria-label={t('splitBy')}
              value={split}
              onChange={(next) => setView({ by: next })}
              data={splits.map((value) => ({ value, label: t(`split.${value}`) }))}
            />
          )}
        </UsageChart>
      </Suspense>
    </ChartPanel>
  )
}
