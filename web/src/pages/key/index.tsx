import { Button, SegmentedControl, Skeleton } from '@mantine/core'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Pencil, RotateCcw } from 'lucide-react'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useRead } from '@/api/queries'
import { useMayChange, useSession } from '@/api/session'
import type { KeyItem } from '@/api/types/keys'
import type { CallsPage } from '@/api/types/usage'
import { ChartPanel } from '@/charts/ChartHead'
import { ago, count, moment, money, short } from '@/parts/format'
import { Gauge } from '@/parts/Gauge'
import { PageHead, Section, TwoColumns } from '@/parts/PageHead'
import { Refusals } from '@/parts/Refusals'
import { Tag } from '@/parts/State'
import { ErrorState } from '@/parts/States'
import { Ago, Facts, When } from '@/parts/small'
import { CallLines } from '../calls/CallLines'
import { type Asked, KeyDialogs, KeyMenu, useKeyActions } from '../keys/actions'
import { KeyState, used, useLimitName, useStandingWords } from '../keys/parts'

const UsageChart = lazy(() => import('@/charts/UsageChart'))

/** One key: how it stands, what it used, what it may. */
export default function KeyPage() {
  const { t } = useTranslation('keys')
  const { key: id } = useParams({ strict: false }) as { key: string }
  const navigate = useNavigate()
  const mayChange = useMayChange()
  const act = useKeyActions()
  const [asked, setAsked] = useState<Asked | null>(null)
  const read = useRead<KeyItem>('key', `/admin/keys/${encodeURIComponent(id)}`)
  const item = read.data
  if (read.error && !item) return <ErrorState error={read.error} retry={read.refetch} />
  if (!item) return <Skeleton height={400} aria-busy="true" />
  const inTrash = item.state === 'removed'
  return (
    <>
      <PageHead
        title={item.name}
        crumb={{ to: '/keys', name: t('title') }}
        beside={item.tags.map((tag) => <Tag key={tag}>{tag}</Tag>)}
        menu={mayChange ? <KeyMenu item={item} ask={setAsked} /> : null}
      >
        {mayChange && inTrash ? (
          <Button leftSection={<RotateCcw size={16} />} onClick={() => act(item, 'restore')}>
            {t('restore')}
          </Button>
        ) : null}
        {mayChange && !inTrash ? (
          <Button
            variant="default"
            leftSection={<Pencil size={16} />}
            component={Link}
            to="/keys/$key/edit"
            params={{ key: item.id } as never}
          >
            {t('edit')}
          </Button>
        ) : null}
      </PageHead>
      <TwoColumns side={<Aside item={item} />}>
        <Usage item={item} />
        <Latest item={item} />
      </TwoColumns>
      <KeyDialogs
        item={item}
        asked={asked}
        close={() => setAsked(null)}
        removed={() => navigate({ to: '/keys' })}
      />
    </>
  )
}

const MEASURES = ['cost', 'tokens', 'calls'] as const

function Usage({ item }: { item: KeyItem }) {
  const { t } = useTranslation('keys')
  const [measure, setMeasure] = useState<(typeof MEASURES)[number]>('cost')
  const [range, setRange] = useState('28d')
  return (
    <ChartPanel>
      <Suspense fallback={<Skeleton height={330} />}>
        <UsageChart
          title={t(`chart.${measure}`)}
          measure={measure}
          query={{ key: item.id, by: 'model', range }}
          compare
        >
          <SegmentedControl
            size="xs"
            aria-label={t('measure')}
            value={measure}
            onChange={(next) => setMeasure(next as (typeof MEASURES)[number])}
            data={MEASURES.map((value) => ({ value, label: t(`measureOf.${value}`) }))}
          />
          <SegmentedControl
            size="xs"
            aria-label={t('common:range.label')}
            value={range}
            onChange={setRange}
            data={['24h', '7d', '28d', '90d'].map((value) => ({
              value,
              label: t(`common:range.${value}`),
            }))}
          />
        </UsageChart>
      </Suspense>
    </ChartPanel>
  )
}

function Latest({ item }: { item: KeyItem }) {
  const { t } = useTranslation('keys')
  const read = useRead<CallsPage>('usage', '/admin/calls', {
    key: item.id,
    range: '28d',
    limit: 10,
  })
  const refused = Object.keys(item.refused_24h ?? {})
  return (
    <>
      <Section
        title={t('latestCalls')}
        beside={
          <Link to="/calls" search={{ key: item.name } as never}>
            {t('allCalls')}
          </Link>
        }
      >
        {read.data && read.data.items.length === 0 ? (
          <p className="quiet">{t('noCalls')}</p>
        ) : (
          <CallLines calls={read.data?.items} without="key" />
        )}
      </Section>
      {refused.length ? (
        <Section title={t('refusedDay')}>
          <Refusals refused={item.refused_24h ?? {}} />
        </Section>
      ) : null}
    </>
  )
}

function Aside({ item }: { item: KeyItem }) {
  const { t } = useTranslation('keys')
  const zone = useSession()?.zone
  const nameOf = useLimitName()
  const say = useStandingWords()
  const { rules } = item
  const list = (items: string[] | null | undefined) =>
    items?.length ? items.join(', ') : t('anything')
  const bound = Object.entries(item.bindings)
  const mayUse: [string, ReactNode][] = [
    [
      t('services'),
      rules.services?.length
        ? rules.services.map((it) => t(`service.${it}`)).join(', ')
        : t('anything'),
    ],
    [t('models'), list(rules.allowed_models)],
    ...((rules.denied_models?.length ? [[t('deniedList'), list(rules.denied_models)]] : []) as [
      string,
      ReactNode,
    ][]),
    [t('clients'), list(rules.clients)],
    ...((rules.addresses?.length ? [[t('ips'), list(rules.addresses)]] : []) as [
      string,
      ReactNode,
    ][]),
    [
      t('accounts'),
      bound.length
        ? bound.map(([service, target]) => `${t(`service.${service}`)}: ${target}`).join(', ')
        : t('shared'),
    ],
    ...((rules.output_tokens_max ? [[t('maxOutput'), count(rules.output_tokens_max)]] : []) as [
      string,
      ReactNode,
    ][]),
    ...((rules.aliases?.length
      ? [[t('aliases'), rules.aliases.map((it) => `${it.from} → ${it.to}`).join(', ')]]
      : []) as [string, ReactNode][]),
  ]
  const about: [string, ReactNode][] = [
    [t('owner'), item.owner || t('nobody')],
    [t('secret'), <code key="tail">…{item.secret_tail}</code>],
    [t('createdAt'), <When key="created" at={item.created_at} />],
    [t('expires'), item.expires_at ? <When key="ends" at={item.expires_at} /> : t('neverEnds')],
    [t('lastUsed'), <Ago key="used" at={item.last_used_at} never={t('never')} />],
    [t('usedInAll'), `${money(item.used.cost_usd)} · ${short(item.used.tokens)}`],
  ]
  if (item.old_works_until)
    about.push([t('oldSecret'), t('until', { when: moment(item.old_works_until) })])
  if (item.note) about.push([t('note'), item.note])
  return (
    <>
      <KeyState item={item} />
      <Section title={t('limits')} beside={<span className="quiet">{zone}</span>}>
        {item.standings.length === 0 ? <p className="quiet">{t('noLimit')}</p> : null}
        {item.standings.map((standing) => (
          <div key={standing.limit} style={{ marginBottom: 16 }}>
            <Gauge
              label={nameOf(standing.limit, item.limits.window?.seconds)}
              percent={used(standing)}
              text={
                <>
                  {nameOf(standing.limit, item.limits.window?.seconds)}
                  <br />
                  {say(standing)}
                </>
              }
              beside={standing.resets_at ? ago(standing.resets_at) : null}
            />
          </div>
        ))}
      </Section>
      <Section title={t('row.mayUse')}>
        <Facts facts={mayUse} />
      </Section>
      <Section title={t('about')}>
        <Facts facts={about} />
      </Section>
    </>
  )
}
