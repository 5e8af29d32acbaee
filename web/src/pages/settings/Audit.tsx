import { TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { Search } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { useRead } from '@/api/queries'
import type { AuditLines } from '@/api/types/settings'
import { DataTable } from '@/parts/DataTable'
import { EmptyState } from '@/parts/States'
import { useInAddress } from '@/parts/search'
import { When } from '@/parts/small'
import { Tools, Two } from '@/parts/TableTools'

const DEFAULTS = { q: '', page: 1, per_page: 25 }

/** Who changed what, and from where. */
export function Audit() {
  const { t } = useTranslation('settings')
  const [view, setView] = useInAddress(DEFAULTS)
  const query = { q: view.q, page: view.page, per_page: view.per_page }
  const read = useRead<AuditLines>('audit', '/admin/audit', query)
  const search = useDebouncedCallback((q: string) => setView({ q, page: 1 }, true), 250)
  return (
    <>
      <Tools>
        <TextInput
          aria-label={t('searchAudit')}
          placeholder={t('searchAudit')}
          leftSection={<Search size={16} />}
          defaultValue={view.q}
          onChange={(event) => search(event.currentTarget.value)}
        />
      </Tools>
      <DataTable
        id="audit"
        rows={read.data?.items}
        total={read.data?.total}
        page={view.page}
        perPage={view.per_page}
        onPage={(page, per_page) => setView({ page, per_page })}
        old={read.isPlaceholderData}
        error={read.error}
        retry={read.refetch}
        idOf={(row) => row.id}
        nameOf={(row) => row.verb}
        empty={<EmptyState title={t('noAudit')} />}
        columns={[
          { id: 'at', title: t('when'), width: 130, cell: (row) => <When at={row.at} /> },
          {
            id: 'actor',
            title: t('who'),
            cell: (row) => (
              <Two
                first={row.actor}
                second={[t(`door.${row.door}`), row.address].filter(Boolean).join(' · ')}
              />
            ),
          },
          { id: 'verb', title: t('what'), cell: (row) => <code>{row.verb}</code> },
          {
            id: 'name',
            title: t('which'),
            cell: (row) => <Two first={row.name || row.subject} second={row.detail} />,
          },
        ]}
      />
    </>
  )
}
