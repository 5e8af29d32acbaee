import { Button, Skeleton } from '@mantine/core'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Pause, Pencil, Play } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useRead } from '@/api/queries'
import { useMayChange } from '@/api/session'
import type { AccountDetail, AccountItem, Stretch } from '@/api/types/accounts'
import { AbilityStrip } from '@/charts/bars'
import { ChartPanel } from '@/charts/ChartHead'
import { count, day, money, percent, span } from '@/parts/format'
import { Gauge } from '@/parts/Gauge'
import { PageHead, Section, TwoColumns } from '@/parts/PageHead'
import { Tag } from '@/parts/State'
import { ErrorState } from '@/parts/States'
import { Facts, When } from '@/parts/small'
import { AccountMenu, DeleteAccount, useAccountActions } from '../accounts/actions'
import { AccountState } from '../accounts/parts'
import css from './account.module.css'
import { Test } from './Test'

const UsageChart = lazy(() => import('@/charts/UsageChart'))

/** One account: whether it serves, what it used, what befell it. */
export default function AccountPage() {
  const { t } = useTranslation('accounts')
  const { account: id } = useParams({ strict: false }) as { account: string }
  const navigate = useNavigate()
  const mayChange = useMayChange()
  const act = useAccountActions()
  const [deleting, setDeleting] = useState<AccountItem | null>(null)
  const {
    data: account,
    error,
    refetch,
  } = useRead<AccountDetail>('account', `/admin/accounts/${encodeURIComponent(id)}`)
  if (error && !account) return <ErrorState error={error} retry={refetch} />
  if (!account) return <Skeleton height={400} aria-busy="true" />
  return (
    <>
      <PageHead
        title={account.name}
        crumb={{ to: '/accounts', name: t('title') }}
        beside={account.groups.map((group) => <Tag key={group}>{group}</Tag>)}
        menu={
          mayChange ? <AccountMenu account={account} onDelete={() => setDeleting(account)} /> : null
        }
      >
        {mayChange ? (
          <Button
            variant="default"
            component={Link}
            to="/accounts/$account/edit"
            params={{ account: account.id } as never}
            leftSection={<Pencil size={16} />}
          >
            {t('edit')}
          </Button>
        ) : null}
        {mayChange ? (
          <Button
            variant="default"
            leftSection={account.enabled ? <Pause size={16} /> : <Play size={16} />}
            onClick={() => act(account, account.enabled ? 'pause' : 'resume')}
          >
            {account.enabled ? t('pause') : t('resume')}
          </Button>
        ) : null}
      </PageHead>
      <TwoColumns side={<Aside account={account} />}>
        <AccountState account={account} />
        <Windows account={account} />
        <Use account={account} />
        <Ability account={account} />
        {mayChange ? <Test id={account.id} /> : null}
        <Past
          title={t('events')}
          none={t('noEvents')}
          lines={account.events.map((it) => ({ id: it.at + it.name, at: it.at, words: it.words }))}
        />
        <Past
          title={t('faults')}
          none={t('noFaults')}
          lines={account.faults.map((it) => ({
            id: it.call,
            at: it.at,
            words: it.words,
            more: it.model,
          }))}
        />
      </TwoColumns>
      <DeleteAccount
        account={deleting}
        close={() => setDeleting(null)}
        done={() => navigate({ to: '/accounts' })}
      />
    </>
  )
}

function Windows({ account }: { account: AccountDetail }) {
  const { t } = useTranslation('accounts')
  if (account.windows.length === 0) return null
  return (
    <Section title={t('windows')}>
      <div className={css.windows}>
        {account.windows.map((window) => (
          <div key={window.window}>
            <Gauge
              label={t('windowOf', { window: window.window, name: account.name })}
              percent={window.used_percent}
              text={`${window.window} · ${percent(window.used_percent)}`}
              beside={window.resets_at ? <When at={window.resets_at} /> : null}
            />
          </div>
        ))}
      </div>
    </Section>
  )
}

function Use({ account }: { account: AccountDetail }) {
  const { t } = useTranslation('accounts')
  return (
    <ChartPanel>
      <Suspense fallback={<Skeleton height={330} />}>
        <UsageChart
          title={t('useChart')}
          measure="cost"
          query={{ account: account.id, by: 'model', range: '28d' }}
          compare
        />
      </Suspense>
    </ChartPanel>
  )
}

const DAY_MILLIS = 86_400_000

/** The days below the strip, at most seven of them. */
function ticksOf(past: Stretch[]): string[] {
  const from = Date.parse(past[0]?.from ?? '')
  const days = Math.round((Date.parse(past.at(-1)?.to ?? '') - from) / DAY_MILLIS)
  return Array.from({ length: Math.min(7, Math.max(0, days)) }, (_, place) =>
    day(new Date(from + place * DAY_MILLIS).toISOString()),
  )
}

/** When it served, in the last week. */
function Ability({ account }: { account: AccountDetail }) {
  const { t } = useTranslation('accounts')
  const past = useRead<Stretch[]>('account', `/admin/accounts/${account.id}/ability`, {
    range: '7d',
  }).data
  if (!past?.length) return null
  return (
    <Section title={t('ability')}>
      <AbilityStrip
        stretches={past}
        ticks={past.length ? ticksOf(past) : []}
        label={(able) => t('ableShare', { able })}
      />
    </Section>
  )
}

interface Line {
  id: string
  at: string
  words: string
  more?: string
}

function Past({ title, none, lines }: { title: string; none: string; lines: Line[] }) {
  return (
    <Section title={title}>
      {lines.length === 0 ? <p className="quiet">{none}</p> : null}
      <ul className={css.past}>
        {lines.map((line) => (
          <li key={line.id}>
            <When at={line.at} />
            <span>
              {line.words}
              {line.more ? <span className="quiet"> {line.more}</span> : null}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  )
}

function Aside({ account }: { account: AccountDetail }) {
  const { t } = useTranslation('accounts')
  const list = (items: string[]) => (items.length ? items.join(', ') : t('any'))
  const facts: [string, React.ReactNode][] = [
    [t('kind'), account.kind],
    [t('address'), account.base_url],
    [
      t('today'),
      `${money(account.today.cost_usd)} · ${t('calls', { count: account.today.calls, said: count(account.today.calls) })}`,
    ],
    [
      t('inFlight'),
      `${account.in_flight}${account.max_concurrency ? ` / ${account.max_concurrency}` : ''}`,
    ],
    [t('priority'), account.priority],
    [t('weight'), account.weight],
    [t('models'), list(account.models)],
    [t('proxy'), account.proxy ?? t('none')],
    [t('pinned'), count(account.pinned)],
    [t('boundKeys'), account.bound_keys.length ? account.bound_keys.join(', ') : t('none')],
    [t('secret'), account.secret_tail ? `…${account.secret_tail}` : t('none')],
    [t('added'), <When key="added" at={account.created_at} />],
  ]
  if (account.token_expires_at)
    facts.push([t('tokenEnds'), <When key="token" at={account.token_expires_at} />])
  if (account.first_byte_timeout_ms)
    facts.push([t('firstByte'), span(account.first_byte_timeout_ms / 1_000)])
  if (account.note) facts.push([t('note'), account.note])
  return (
    <>
      <Facts facts={facts} />
      {account.state === 'signed_out' ? (
        <Button
          component={Link}
          to="/accounts/add"
          search={{ account: account.id } as never}
          mt={16}
          fullWidth
        >
          {t('signInAgain')}
        </Button>
      ) : null}
    </>
  )
}
