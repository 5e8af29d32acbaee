import { ActionIcon, Select } from '@mantine/core'
import { ChevronLeft, ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { TableProps } from './DataTable'
import { count } from './format'
import css from './table.module.css'

/** How many there are, and the way to other pages. */
export function Foot<T>({
  total,
  page = 1,
  perPage = 25,
  onPage,
  columnsMenu,
  ...props
}: TableProps<T> & { columnsMenu: ReactNode }) {
  const { t } = useTranslation('common')
  const pages = Math.max(1, Math.ceil((total ?? 0) / perPage))
  return (
    <div className={css.foot}>
      <span aria-live="polite">
        {total === undefined
          ? null
          : t('rangeOf', {
              from: count(total === 0 ? 0 : (page - 1) * perPage + 1),
              to: count(Math.min(total, page * perPage)),
              total: `${count(total)}${props.atLeast ? '+' : ''}`,
            })}
      </span>
      {columnsMenu}
      {onPage && (total ?? 0) > 10 ? (
        <>
          <Select
            className={css.perPage}
            size="xs"
            variant="unstyled"
            aria-label={t('perPage', { count: perPage })}
            allowDeselect={false}
            comboboxProps={{ width: 130, position: 'top-end' }}
            data={['10', '25', '100'].map((value) => ({
              value,
              label: t('perPage', { count: Number(value) }),
            }))}
            value={String(perPage)}
            onChange={(value) => onPage(1, Number(value))}
          />
          <span className={css.turn}>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('previous')}
              disabled={page <= 1}
              onClick={() => onPage(page - 1, perPage)}
            >
              <ChevronLeft size={17} aria-hidden />
            </ActionIcon>
            {t('page', { page: count(page), pages: count(pages) })}
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('next')}
              disabled={page >= pages}
              onClick={() => onPage(page + 1, perPage)}
            >
              <ChevronRight size={17} aria-hidden />
            </ActionIcon>
          </span>
        </>
      ) : null}
    </div>
  )
}
