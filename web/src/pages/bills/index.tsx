import { Button, SegmentedControl, Select } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { address } from '@/api/client'
import { useRead } from '@/api/queries'
import type { BillRow, Bills } from '@/api/types/usage'
import { language } from '@/i18n'
import { type Column, DataTable } from '@/parts/DataTable'
import { count, money, percent, short } from '@/parts/format'
import { Gauge } from '@/parts/Gauge'
import { PageHead } from '@/parts/PageHead'
import { EmptyState } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { Two } from '@/parts/TableTools'
import css from './bills.module.css'

const DEFAULTS = { month: '', by: 'key', page: 1, per_page: 25 }

const monthName = (month: string) =>
  new Intl.DateTimeFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  }).format(new Date(`${month}-01T00:00:00Z`))

/** What each key or owner cost in a month. */
export default function BillsPage() {
  const { t } = useTranslation('bills')
  const navigate = useNavigate()
  const [view, setView] = useInAddress(DEFAULTS)
  const { month, by, page, per_page } = view
  const read = useRead<Bills>('usage', '/admin/usage/bills', { month, by, page, per_page })
  const bill = read.data
  const columns: Column<BillRow>[] = [
    {
      id: 'name',
      title: by === 'key' ? t('key') : t('owner'),
      cell: (row) => (
        <Two first={row.name || t('nobody')} second={by === 'key' ? row.owner : undefined} />
      ),
    },
    {
      id: 'share',
      title: t('share'),
      width: 200,
      cell: (row) => (
        <div className={css.share}>
          <Gauge
            label={t('shareOf', { name: row.name || t('nobody') })}
            percent={Math.min(row.share_percent, 84)}
            text={percent(row.share_percent)}
          />
        </div>
      ),
      phone: 'below',
    },
    {
      id: 'calls',
      title: t('calls'),
      number: true,
      cell: (row) => count(row.calls),
      phone: 'none',
    },
    {
      id: 'tokens',
      title: t('tokens'),
      number: true,
      cell: (row) => short(row.tokens),
      phone: 'none',
    },
    {
      id: 'previous',
      title: t('before'),
      number: true,
      cell: (row) => money(row.previous_usd),
      phone: 'none',
    },
    {
      id: 'cost',
      title: t('cost'),
      number: true,
      cell: (row) => <b>{money(row.cost_usd)}</b>,
      phone: 'head',
    },
  ]
  const shown = bill?.month ?? month
  return (
    <>
      <PageHead title={t('title')}>
        <Select
          aria-label={t('month')}
          w={180}
          allowDeselect={false}
          value={shown}
          onChange={(next) => setView({ month: next ?? '', page: 1 })}
          data={(bill?.months ?? []).map((value) => ({ value, label: monthName(value) }))}
        />
        <Button
          variant="default"
          component="a"
          href={address('/admin/usage/bills.csv', { month: shown, by })}
          leftSection={<Download size={16} />}
        >
          {t('export')}
        </Button>
      </PageHead>
      <div className={css.total}>
        <div>
          <div className={css.figure}>{money(bill?.total_usd ?? 0)}</div>
          <div className="quiet">
            {bill
              ? t('totalText', {
                  month: monthName(bill.month),
                  before: money(bill.previous_usd),
                  zone: bill.zone,
                })
              : '\u00a0'}
          </div>
        </div>
        <SegmentedControl
          aria-label={t('by')}
          value={by}
          onChange={(next) => setView({ by: next, page: 1 })}
          data={['key', 'owner'].map((value) => ({ value, label: t(`byWhom.${value}`) }))}
        />
      </div>
      <DataTable
        id="bills"
        columns={columns}
        rows={bill?.rows}
        total={bill?.total}
        idOf={(row) => row.id || `owner ${row.name}`}
        nameOf={(row) => row.name || t('nobody')}
        page={page}
        perPage={per_page}
        onPage={(next, size) => setView({ page: next, per_page: size })}
        old={read.isPlaceholderData}
        error={read.error}
        retry={read.refetch}
        {...(by === 'key'
          ? {
              onOpen: (row: BillRow) => navigate({ to: '/keys/$key', params: { key: row.id } }),
            }
          : {})}
        empty={<EmptyState title={t('empty')} text={t('emptyText')} />}
      />
    </>
  )
}
