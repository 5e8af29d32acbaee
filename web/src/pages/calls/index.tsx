import { Button, Select, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { Link, useNavigate } from '@tanstack/react-router'
import { ArrowUp, Download } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { address } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { CallsPage } from '@/api/types/usage'
import { LiveDot } from '@/live/LiveDot'
import { useLive } from '@/live/live'
import { count } from '@/parts/format'
import { PageHead } from '@/parts/PageHead'
import { type Range, RangePicker } from '@/parts/RangePicker'
import { EmptyState } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { ClearFilters, Filters } from '@/parts/TableTools'
import { CallLines } from './CallLines'
import css from './calls.module.css'
import { Detail } from './Detail'

const STATUSES = ['ok', 'failed', 'left', 'retried', 'estimated'] as const
const DEFAULTS = {
  range: '24h',
  status: '',
  key: '',
  account: '',
  owner: '',
  model: '',
  client: '',
  before: '',
  limit: 25,
  call: '',
}
const NAMES = ['key', 'account', 'owner', 'model', 'client'] as const

/** The log of calls, newest first. */
export default function CallsPageView() {
  const { t } = useTranslation('calls')
  const navigate = useNavigate()
  const [view, setView] = useInAddress(DEFAULTS)
  const { range, status, key, account, owner, model, client, before, limit, call } = view
  const filter = { range, status, key, account, owner, model, client }
  const read = useRead<CallsPage>('usage', '/admin/calls', { ...filter, before, limit })
  const page = read.data
  const isFiltered = [status, key, account, owner, model, client].some((it) => it !== '')
  const clear = () =>
    setView({ status: '', key: '', account: '', owner: '', model: '', client: '', before: '' })
  const open = (id: string) => setView({ call: id }, call !== '')
  const ids = page?.items.map((row) => row.id) ?? []
  const at = ids.indexOf(call)
  const step = (by: number) => {
    const next = ids[at + by]
    return at >= 0 && next ? { go: () => open(next) } : null
  }
  const [previous, next] = [step(-1), step(1)]
  return (
    <>
      <PageHead
        title={t('title')}
        beside={
          <>
            <LiveDot />
            {before ? null : <Newer old={read.dataUpdatedAt} />}
          </>
        }
      >
        <RangePicker value={range as Range} onChange={(it) => setView({ range: it, before: '' })} />
        <Button
          variant="default"
          component="a"
          href={address('/admin/calls.csv', filter)}
          leftSection={<Download size={16} />}
        >
          {t('export')}
        </Button>
      </PageHead>
      {before ? (
        <Button
          variant="subtle"
          leftSection={<ArrowUp size={14} />}
          onClick={() => setView({ before: '' })}
        >
          {t('newest')}
        </Button>
      ) : null}
      <CallLines
        calls={page?.items}
        old={read.isPlaceholderData}
        error={read.error}
        retry={read.refetch}
        open={call || null}
        onOpen={(row) => open(row.id)}
        tools={
          <>
            <Filters
              label={t('statusFilter')}
              value={status}
              onChange={(it) => setView({ status: it, before: '' })}
              options={[
                { value: '', label: t('all') },
                ...STATUSES.map((value) => ({ value, label: t(`filter.${value}`) })),
              ]}
            />
            {NAMES.map((name) => (
              <NameFilter
                key={name}
                label={t(name)}
                value={String(view[name] ?? '')}
                onChange={(it) => setView({ [name]: it, before: '' }, true)}
              />
            ))}
          </>
        }
        empty={
          isFiltered || range !== '24h' ? (
            <EmptyState title={t('nothingFits')}>
              <ClearFilters onClick={clear} />
            </EmptyState>
          ) : (
            <EmptyState title={t('empty')} text={t('emptyText')}>
              <Button component={Link} to="/guide">
                {t('openGuide')}
              </Button>
            </EmptyState>
          )
        }
      />
      <footer className={css.foot}>
        <span className="quiet" aria-live="polite">
          {page?.total == null
            ? ''
            : t(page.total_exact ? 'total' : 'atLeast', {
                count: page.total,
                said: count(page.total),
              })}
          {page?.slow ? ` · ${t('slow')}` : ''}
        </span>
        <Select
          aria-label={t('perPage')}
          w={80}
          size="xs"
          allowDeselect={false}
          value={String(limit)}
          onChange={(it) => setView({ limit: Number(it) })}
          data={['25', '50', '100']}
        />
        {page?.next ? (
          <Button
            variant="default"
            onClick={() => {
              setView({ before: page.next ?? '' })
              window.scrollTo(0, 0)
            }}
          >
            {t('older')}
          </Button>
        ) : null}
      </footer>
      <Detail
        id={call || null}
        close={() =>
          navigate({ to: '.', search: (was: object) => ({ ...was, call: undefined }) as never })
        }
        {...(previous ? { onPrevious: previous.go } : {})}
        {...(next ? { onNext: next.go } : {})}
      />
    </>
  )
}

interface NameProps {
  label: string
  value: string
  onChange: (value: string) => void
}

/** A filter that is typed; a name that is not known finds nothing, and says so. */
function NameFilter({ label, value, onChange }: NameProps) {
  const [text, setText] = useState(value)
  const tell = useDebouncedCallback(onChange, 400)
  useEffect(() => setText(value), [value])
  return (
    <TextInput
      className={css.name ?? ''}
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        tell(event.currentTarget.value.trim())
      }}
    />
  )
}

/** How many calls came since; the list does not move under the pointer. */
function Newer({ old }: { old: number }) {
  const { t } = useTranslation('calls')
  const live = useLive()
  const calls = live?.finished.calls
  const [seen, setSeen] = useState<{ old: number; calls: number } | null>(null)
  if (calls !== undefined && seen?.old !== old) setSeen({ old, calls })
  const more = calls !== undefined && seen ? calls - seen.calls : 0
  if (more <= 0) return null
  return (
    <Button variant="light" size="xs" onClick={() => refresh('usage')} aria-live="polite">
      {t('newer', { count: more })}
    </Button>
  )
}
