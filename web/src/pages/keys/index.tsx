import { Button, Select } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { Link, useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import { useMayChange } from '@/api/session'
import type { KeyAction, KeyBulkDone, KeyItem, KeyPage } from '@/api/types/keys'
import { Confirm } from '@/parts/Confirm'
import { type Column, DataTable } from '@/parts/DataTable'
import { count, money } from '@/parts/format'
import { PageHead } from '@/parts/PageHead'
import { Tag } from '@/parts/State'
import { EmptyState, useProblem } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { Ago } from '@/parts/small'
import { ActionBar, ClearFilters, Filters, SearchField, Two } from '@/parts/TableTools'
import { type Asked, KeyDialogs, KeyMenu, Renew, Tags } from './actions'
import { KeyState, NearestLimit } from './parts'

const STATES = ['active', 'spent', 'expired', 'disabled', 'removed'] as const
const DEFAULTS = { q: '', state: '', tag: '', owner: '', sort: '-cost_28d', page: 1, per_page: 25 }

/** All keys. */
export default function KeysPage() {
  const { t } = useTranslation('keys')
  const navigate = useNavigate()
  const mayChange = useMayChange()
  const [view, setView] = useInAddress(DEFAULTS)
  const [chosen, setChosen] = useState(new Set<string>())
  const [asked, setAsked] = useState<{ item: KeyItem; what: Asked } | null>(null)
  const { q, state, tag, owner, sort, page, per_page } = view
  const filter = { q, state, tag, owner }
  const read = useRead<KeyPage>('key', '/admin/keys', { ...filter, sort, page, per_page })
  const columns = useColumns()
  const counts = read.data?.counts ?? {}
  const all = STATES.reduce((sum, one) => sum + (one === 'removed' ? 0 : (counts[one] ?? 0)), 0)
  const isFiltered = q !== '' || state !== '' || tag !== '' || owner !== ''
  const clear = () => setView({ q: '', state: '', tag: '', owner: '', page: 1 })
  return (
    <>
      <PageHead title={t('title')}>
        {mayChange ? (
          <Button component={Link} to="/keys/add" leftSection={<Plus size={16} />}>
            {t('create')}
          </Button>
        ) : null}
      </PageHead>
      <Filters
        look="tabs"
        label={t('stateFilter')}
        value={state}
        onChange={(next) => {
          setChosen(new Set())
          setView({ state: next, page: 1 })
        }}
        options={[
          { value: '', label: t('all'), count: all },
          ...STATES.map((one) => ({
            value: one,
            label: t(`tab.${one}`),
            count: counts[one] ?? 0,
          })),
        ]}
      />
      <DataTable
        id="keys"
        columns={columns}
        rows={read.data?.items}
        total={read.data?.total}
        idOf={(row) => row.id}
        nameOf={(row) => row.name}
        sort={sort}
        onSort={(next) => setView({ sort: next, page: 1 })}
        page={page}
        perPage={per_page}
        onPage={(next, size) => setView({ page: next, per_page: size })}
        old={read.isPlaceholderData}
        error={read.error}
        retry={read.refetch}
        selected={mayChange ? { ids: chosen, set: setChosen } : undefined}
        onOpen={(row) => navigate({ to: '/keys/$key', params: { key: row.id } })}
        actions={
          mayChange
            ? (row) => <KeyMenu item={row} ask={(what) => setAsked({ item: row, what })} />
            : undefined
        }
        tools={
          <>
            <SearchField
              value={q}
              onChange={(next) => setView({ q: next, page: 1 }, true)}
              placeholder={t('search')}
            />
            {(read.data?.tags.length ?? 0) > 0 || tag ? (
              <Select
                aria-label={t('tag')}
                placeholder={t('anyTag')}
                clearable
                searchable
                w={180}
                value={tag || null}
                onChange={(next) => setView({ tag: next ?? '', page: 1 })}
                data={(read.data?.tags ?? []).map((one) => ({
                  value: one.tag,
                  label: `${one.tag} (${count(one.keys)})`,
                }))}
              />
            ) : null}
          </>
        }
        empty={
          isFiltered ? (
            <EmptyState
              title={q ? t('nothingMatches', { q }) : state ? t(`none.${state}`) : t('nothingFits')}
            >
              <ClearFilters onClick={clear} />
            </EmptyState>
          ) : (
            <EmptyState title={t('empty')} text={t('emptyText')}>
              <Button component={Link} to="/keys/add">
                {t('create')}
              </Button>
            </EmptyState>
          )
        }
      />
      <Bulk
        chosen={chosen}
        setChosen={setChosen}
        filter={filter}
        matching={read.data?.total ?? 0}
        inTrash={state === 'removed'}
      />
      <KeyDialogs
        item={asked?.item ?? null}
        asked={asked?.what ?? null}
        close={() => setAsked(null)}
      />
    </>
  )
}

function useColumns(): Column<KeyItem>[] {
  const { t } = useTranslation('keys')
  const tail = (row: KeyItem) => <code>…{row.secret_tail}</code>
  return [
    {
      id: 'name',
      title: t('key'),
      sorts: true,
      cell: (row) => (
        <Two
          first={row.name}
          second={
            <>
              {row.owner ? `${row.owner} · ` : ''}
              {tail(row)}
            </>
          }
        />
      ),
    },
    {
      id: 'tags',
      title: t('tags'),
      hides: true,
      cell: (row) => row.tags.map((one) => <Tag key={one}>{one}</Tag>),
      phone: 'none',
    },
    { id: 'state', title: t('stateTitle'), cell: (row) => <KeyState item={row} /> },
    {
      id: 'limit',
      title: t('nearest'),
      width: 190,
      sorts: true,
      hides: true,
      cell: (row) => <NearestLimit item={row} />,
    },
    {
      id: 'today',
      title: t('today'),
      number: true,
      hides: true,
      phone: 'none',
      cell: (row) => (
        <Two
          first={money(row.today.cost_usd)}
          second={t('calls', { count: row.today.calls, said: count(row.today.calls) })}
        />
      ),
    },
    {
      id: 'cost_28d',
      title: t('cost28'),
      number: true,
      sorts: true,
      cell: (row) => money(row.cost_28d_usd),
      phone: 'head',
    },
    {
      id: 'last_used',
      title: t('lastUsed'),
      number: true,
      sorts: true,
      hides: true,
      cell: (row) => <Ago at={row.last_used_at} never={t('never')} />,
      phone: 'none',
    },
  ]
}

interface BulkProps {
  chosen: Set<string>
  setChosen: (ids: Set<string>) => void
  filter: Record<string, string>
  matching: number
  inTrash: boolean
}

/** What is done to several keys; to all that match, once that is chosen. */
function Bulk({ chosen, setChosen, filter, matching, inTrash }: BulkProps) {
  const { t } = useTranslation('keys')
  const problem = useProblem()
  const [asks, setAsks] = useState<'remove' | 'renew' | 'tag' | null>(null)
  const [all, setAll] = useState(false)
  const who = () =>
    all
      ? {
          all_matching: Object.fromEntries(
            Object.entries(filter).filter(([, value]) => value !== ''),
          ),
        }
      : { ids: [...chosen] }
  const send = async (action: KeyAction, more: object = {}) => {
    const done = await post<KeyBulkDone>('/admin/keys/bulk', { ...who(), action, ...more })
    await refresh('key')
    const [first] = done.failed
    if (first)
      notifications.show({
        color: 'red',
        message: t('bulkFailed', {
          count: done.failed.length,
          name: first.name,
          why: first.message,
        }),
      })
    setAll(false)
    setChosen(new Set())
  }
  const act = (action: KeyAction) => () =>
    send(action).catch((error) => notifications.show({ color: 'red', message: problem(error) }))
  const actions = inTrash
    ? [{ label: t('restore'), act: act('restore') }]
    : [
        { label: t('renew'), act: () => setAsks('renew') },
        { label: t('tags'), act: () => setAsks('tag') },
        { label: t('enable'), act: act('enable') },
        { label: t('disable'), act: act('disable') },
        { label: t('remove'), danger: true, act: () => setAsks('remove') },
      ]
  const many = all ? matching : chosen.size
  return (
    <>
      <ActionBar
        selected={{
          ids: chosen,
          set: (ids) => {
            setAll(false)
            setChosen(ids)
          },
        }}
        matching={all ? undefined : matching}
        onAll={() => setAll(true)}
        actions={
          all
            ? [{ label: t('allChosen', { count: matching }), act: () => setAll(false) }, ...actions]
            : actions
        }
      />
      <Renew
        opened={asks === 'renew'}
        close={() => setAsks(null)}
        send={(renewal) => send('renew', { renewal })}
      />
      <Tags
        opened={asks === 'tag'}
        close={() => setAsks(null)}
        send={(action, tags) => send(action, { tags })}
      />
      <Confirm
        opened={asks === 'remove'}
        close={() => setAsks(null)}
        title={t('removeSeveral', { count: many })}
        verb={t('remove')}
        act={() => send('remove')}
      >
        {t('removeText')}
      </Confirm>
    </>
  )
}
