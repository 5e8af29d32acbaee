import { Button, Menu, Tabs } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { Pencil, Plus, RotateCcw, Upload } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { del } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import { useMayChange } from '@/api/session'
import type { Price, PricePage, ServedModel } from '@/api/types/stats'
import { type Column, DataTable } from '@/parts/DataTable'
import { PageHead } from '@/parts/PageHead'
import { Tag } from '@/parts/State'
import { EmptyState, useProblem } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { ClearFilters, Filters, SearchField, Two } from '@/parts/TableTools'
import { ImportPrices } from './Import'
import { SetPrice } from './SetPrice'

const SOURCES = ['yours', 'imported', 'built_in'] as const
const DEFAULTS = { part: 'prices', q: '', source: '', page: 1, per_page: 25 }

/** A rate for a million tokens, as exactly as it is. */
const rate = (usd: number) => `$${Number(usd.toPrecision(6))}`

/** What models cost, and which accounts serve them. */
export default function PricesPage() {
  const { t } = useTranslation('prices')
  const mayChange = useMayChange()
  const [view, setView] = useInAddress(DEFAULTS)
  const [setting, setSetting] = useState<Price | 'new' | null>(null)
  const [imports, setImports] = useState(false)
  return (
    <>
      <PageHead
        title={t('title')}
        menu={
          mayChange ? (
            <Menu.Item leftSection={<Upload size={16} />} onClick={() => setImports(true)}>
              {t('import')}
            </Menu.Item>
          ) : null
        }
      >
        {mayChange ? (
          <Button leftSection={<Plus size={16} />} onClick={() => setSetting('new')}>
            {t('set')}
          </Button>
        ) : null}
      </PageHead>
      <Tabs
        value={view.part}
        onChange={(part) => setView({ part: part ?? 'prices', q: '', source: '', page: 1 })}
        keepMounted={false}
      >
        <Tabs.List mb={12}>
          {['prices', 'models'].map((part) => (
            <Tabs.Tab key={part} value={part}>
              {t(`part.${part}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="prices">
          <Prices view={view} setView={setView} edit={setSetting} />
        </Tabs.Panel>
        <Tabs.Panel value="models">
          <Models />
        </Tabs.Panel>
      </Tabs>
      {setting ? (
        <SetPrice price={setting === 'new' ? null : setting} close={() => setSetting(null)} />
      ) : null}
      <ImportPrices opened={imports} close={() => setImports(false)} />
    </>
  )
}

interface PricesProps {
  view: typeof DEFAULTS
  setView: (change: Record<string, string | number>, replace?: boolean) => void
  edit: (price: Price) => void
}

function Prices({ view, setView, edit }: PricesProps) {
  const { t } = useTranslation('prices')
  const problem = useProblem()
  const mayChange = useMayChange()
  const { q, source, page, per_page } = view
  const read = useRead<PricePage>('price', '/admin/prices', { q, source, page, per_page })
  const counts = read.data?.counts ?? {}
  const all = SOURCES.reduce((sum, one) => sum + (counts[one] ?? 0), 0)
  const unset = (price: Price) => () =>
    del(`/admin/prices/${encodeURIComponent(price.model)}`)
      .then(() => refresh('price'))
      .catch((error) => notifications.show({ color: 'red', message: problem(error) }))
  const number = (id: keyof Price, phone: 'none' | 'head' = 'none'): Column<Price> => ({
    id,
    title: t(`rate.${id}`),
    number: true,
    hides: id !== 'input' && id !== 'output',
    cell: (row) => rate(row[id] as number),
    phone,
  })
  const columns: Column<Price>[] = [
    {
      id: 'model',
      title: t('model'),
      cell: (row) => <Two first={row.model} second={row.provider || row.family} />,
    },
    {
      id: 'source',
      title: t('source'),
      cell: (row) => (
        <>
          <Tag>{t(`sources.${row.source}`)}</Tag>
          {row.overridden ? <span className="quiet"> {t('overridden')}</span> : null}
        </>
      ),
    },
    number('input'),
    number('output', 'head'),
    number('cache_read'),
    number('cache_write_5m'),
    number('cache_write_1h'),
  ]
  return (
    <DataTable
      id="prices"
      columns={columns}
      rows={read.data?.items}
      total={read.data?.total}
      idOf={(row) => `${row.source} ${row.provider} ${row.model}`}
      nameOf={(row) => row.model}
      page={page}
      perPage={per_page}
      onPage={(next, size) => setView({ page: next, per_page: size })}
      old={read.isPlaceholderData}
      error={read.error}
      retry={read.refetch}
      actions={
        mayChange
          ? (row) => (
              <>
                <Menu.Item leftSection={<Pencil size={16} />} onClick={() => edit(row)}>
                  {t('setThis')}
                </Menu.Item>
                {row.source === 'yours' ? (
                  <Menu.Item leftSection={<RotateCcw size={16} />} onClick={unset(row)}>
                    {t('unset')}
                  </Menu.Item>
                ) : null}
              </>
            )
          : undefined
      }
      tools={
        <>
          <SearchField
            value={q}
            placeholder={t('search')}
            onChange={(next) => setView({ q: next, page: 1 }, true)}
          />
          <Filters
            label={t('source')}
            value={source}
            onChange={(next) => setView({ source: next, page: 1 })}
            options={[
              { value: '', label: t('all'), count: all },
              ...SOURCES.map((one) => ({
                value: one,
                label: t(`sources.${one}`),
                count: counts[one] ?? 0,
              })),
            ]}
          />
        </>
      }
      empty={
        <EmptyState title={t('nothing')}>
          <ClearFilters onClick={() => setView({ q: '', source: '', page: 1 })} />
        </EmptyState>
      }
    />
  )
}

function Models() {
  const { t } = useTranslation('prices')
  const read = useRead<ServedModel[]>('account', '/admin/models')
  const columns: Column<ServedModel>[] = [
    {
      id: 'model',
      title: t('model'),
      cell: (row) => (
        <Two
          first={row.model}
          second={
            [...row.aliases].length
              ? t('aliases', { names: [...row.aliases].join(', ') })
              : row.family
          }
        />
      ),
    },
    { id: 'service', title: t('service'), cell: (row) => row.service, phone: 'none' },
    {
      id: 'accounts',
      title: t('accounts'),
      cell: (row) =>
        row.accounts
          .map((it) => (it.asks_for ? `${it.name} (${it.asks_for})` : it.name))
          .join(', '),
      phone: 'below',
    },
    {
      id: 'priced',
      title: t('price'),
      cell: (row) => (row.priced ? t('known') : t('unknown')),
      phone: 'head',
    },
  ]
  return (
    <DataTable
      id="models"
      columns={columns}
      rows={read.data}
      idOf={(row) => `${row.service} ${row.model}`}
      nameOf={(row) => row.model}
      error={read.error}
      retry={read.refetch}
      empty={<EmptyState title={t('noModels')} text={t('noModelsText')} />}
    />
  )
}
