import { Button, Menu, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { notifications } from '@mantine/notifications'
import { Link, useNavigate } from '@tanstack/react-router'
import { Download, Plus, Search, Upload } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import { useMayChange } from '@/api/session'
import type { AccountAction, AccountItem, Accounts, Kind } from '@/api/types/accounts'
import { Confirm } from '@/parts/Confirm'
import { type Column, DataTable } from '@/parts/DataTable'
import { count, money } from '@/parts/format'
import { Pips } from '@/parts/Gauge'
import { PageHead } from '@/parts/PageHead'
import { EmptyState, useProblem } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { ActionBar, ClearFilters, Filters, Tools, Two } from '@/parts/TableTools'
import { AccountMenu, DeleteAccount } from './actions'
import { ExportAccounts, ImportAccounts } from './Files'
import { AccountState, WindowGauge } from './parts'

const STATES = ['able', 'resting', 'failing', 'paused'] as const
const DEFAULTS = { q: '', state: '', sort: 'state', page: 1, per_page: 25 }

/** All upstream logins. */
export default function AccountsPage() {
  const { t } = useTranslation('accounts')
  const navigate = useNavigate()
  const mayChange = useMayChange()
  const [view, setView] = useInAddress(DEFAULTS)
  const [chosen, setChosen] = useState(new Set<string>())
  const [file, setFile] = useState<'import' | 'export' | null>(null)
  const [deleting, setDeleting] = useState<AccountItem | null>(null)
  const query = {
    q: view.q,
    state: view.state,
    sort: view.sort,
    page: view.page,
    per_page: view.per_page,
  }
  const read = useRead<Accounts>('account', '/admin/accounts', query)
  const columns = useColumns()
  const counts = read.data?.counts ?? {}
  const search = useDebouncedCallback((q: string) => setView({ q, page: 1 }, true), 250)
  const isFiltered = view.q !== '' || view.state !== ''
  const all = STATES.reduce((sum, state) => sum + (counts[state] ?? 0), 0)
  return (
    <>
      <PageHead
        title={t('title')}
        menu={
          mayChange ? (
            <>
              <Menu.Item leftSection={<Upload size={16} />} onClick={() => setFile('import')}>
                {t('importTitle')}
              </Menu.Item>
              <Menu.Item leftSection={<Download size={16} />} onClick={() => setFile('export')}>
                {t('exportTitle')}
              </Menu.Item>
            </>
          ) : null
        }
      >
        {mayChange ? (
          <Button component={Link} to="/accounts/add" leftSection={<Plus size={16} />}>
            {t('add')}
          </Button>
        ) : null}
      </PageHead>
      <Tools>
        <TextInput
          key={view.q === '' ? 'empty' : 'full'}
          aria-label={t('search')}
          placeholder={t('search')}
          leftSection={<Search size={16} />}
          defaultValue={view.q}
          onChange={(event) => search(event.currentTarget.value)}
        />
        <Filters
          label={t('stateFilter')}
          value={view.state}
          onChange={(state) => setView({ state, page: 1 })}
          options={[
            { value: '', label: t('all'), count: all },
            ...STATES.map((state) => ({
              value: state,
              label: t(`filter.${state}`),
              count: counts[state] ?? 0,
            })),
          ]}
        />
      </Tools>
      <DataTable
        id="accounts"
        columns={columns}
        rows={read.data?.items}
        total={read.data?.total}
        idOf={(row) => row.id}
        nameOf={(row) => row.name}
        sort={view.sort}
        onSort={(sort) => setView({ sort, page: 1 })}
        page={view.page}
        perPage={view.per_page}
        onPage={(page, per_page) => setView({ page, per_page })}
        old={read.isPlaceholderData}
        error={read.error}
        retry={read.refetch}
        selected={mayChange ? { ids: chosen, set: setChosen } : undefined}
        onOpen={(row) => navigate({ to: '/accounts/$account', params: { account: row.id } })}
        actions={
          mayChange
            ? (row) => <AccountMenu account={row} onDelete={() => setDeleting(row)} />
            : undefined
        }
        empty={
          isFiltered ? (
            <EmptyState title={t('nothingMatches', { q: view.q || t(`filter.${view.state}`) })}>
              <ClearFilters onClick={() => setView({ q: '', state: '', page: 1 })} />
            </EmptyState>
          ) : (
            <EmptyState title={t('empty')} text={t('emptyText')}>
              <Button component={Link} to="/accounts/add">
                {t('add')}
              </Button>
            </EmptyState>
          )
        }
      />
      <Bulk chosen={chosen} setChosen={setChosen} />
      <ExportAccounts opened={file === 'export'} close={() => setFile(null)} />
      <ImportAccounts opened={file === 'import'} close={() => setFile(null)} />
      <DeleteAccount account={deleting} close={() => setDeleting(null)} />
    </>
  )
}

function useColumns(): Column<AccountItem>[] {
  const { t } = useTranslation('accounts')
  const kinds = useRead<Kind[]>('kind', '/admin/kinds').data ?? []
  const kindOf = (row: AccountItem) =>
    kinds.find((kind) => kind.kind === row.kind)?.name ?? row.kind
  return [
    {
      id: 'name',
      title: t('account'),
      sorts: true,
      cell: (row) => <Two first={row.name} second={[kindOf(row), ...row.groups].join(' · ')} />,
    },
    {
      id: 'state',
      title: t('stateTitle'),
      sorts: true,
      cell: (row) => <AccountState account={row} />,
    },
    {
      id: '5h',
      title: t('window5h'),
      width: 140,
      hides: true,
      cell: (row) => <WindowGauge account={row} name="5h" />,
    },
    {
      id: '7d',
      title: t('window7d'),
      width: 140,
      hides: true,
      cell: (row) => <WindowGauge account={row} name="7d" />,
    },
    {
      id: 'in_flight',
      title: t('inFlight'),
      hides: true,
      sorts: true,
      cell: (row) => (
        <Pips label={t('inFlight')} now={row.in_flight} most={row.max_concurrency ?? null} />
      ),
      phone: 'none',
    },
    {
      id: 'cost',
      title: t('today'),
      number: true,
      sorts: true,
      cell: (row) => (
        <Two
          first={money(row.today.cost_usd)}
          second={t('calls', { count: row.today.calls, said: count(row.today.calls) })}
        />
      ),
      phone: 'head',
    },
  ]
}

interface Chosen {
  chosen: Set<string>
  setChosen: (ids: Set<string>) => void
}

function Bulk({ chosen, setChosen }: Chosen) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [asks, setAsks] = useState(false)
  const send = async (action: AccountAction) => {
    await post('/admin/accounts/bulk', { ids: [...chosen], action })
    await refresh('account')
    setChosen(new Set())
  }
  const act = (action: AccountAction) => () =>
    send(action).catch((error) => notifications.show({ color: 'red', message: problem(error) }))
  return (
    <>
      <ActionBar
        selected={{ ids: chosen, set: setChosen }}
        actions={[
          { label: t('pause'), act: act('pause') },
          { label: t('resume'), act: act('resume') },
          { label: t('reset'), act: act('reset') },
          { label: t('delete'), danger: true, act: () => setAsks(true) },
        ]}
      />
      <Confirm
        opened={asks}
        close={() => setAsks(false)}
        title={t('deleteSeveral', { count: chosen.size })}
        verb={t('delete')}
        act={() => send('remove')}
      >
        {t('deleteText')}
      </Confirm>
    </>
  )
}
