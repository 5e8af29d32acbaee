import { ActionIcon, Checkbox, Menu, Skeleton, UnstyledButton } from '@mantine/core'
import { useLocalStorage, useMediaQuery } from '@mantine/hooks'
import { ArrowDown, ArrowUp, Check, ChevronsUpDown, Columns3, Ellipsis } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ErrorState } from './States'
import { Foot } from './TableFoot'
import { Tools } from './TableTools'
import css from './table.module.css'

export interface Column<T> {
  /** By what the server sorts; also the column's name in what a person keeps. */
  id: string
  title: string
  cell: (row: T) => ReactNode
  /** Whether the server sorts by it. */
  sorts?: boolean
  /** Whether it is a number: at the right. */
  number?: boolean
  width?: number | string
  /** Whether it can be hidden. */
  hides?: boolean
  /** Where it stands in the form for phones: not at all, beside the name, below, two side by side. */
  phone?: 'none' | 'head' | 'below' | 'half'
}

export interface Selected {
  ids: Set<string>
  set: (ids: Set<string>) => void
}

export interface TableProps<T> {
  /** By which the hidden columns are kept. */
  id: string
  columns: Column<T>[]
  rows: T[] | undefined
  idOf: (row: T) => string
  nameOf: (row: T) => string
  total?: number
  /** How many there are is a lower bound. */
  atLeast?: boolean
  /** "cost", or "-cost" for the largest first. */
  sort?: string
  onSort?: (sort: string) => void
  page?: number
  perPage?: number
  onPage?: (page: number, perPage: number) => void
  /** Whether what is shown is of a question before. */
  old?: boolean
  error?: unknown
  retry?: () => void
  empty: ReactNode
  /** Search and filters, over the table; they stay when nothing is found. */
  tools?: ReactNode
  /** The action that is used most, shown while the row is pointed at. */
  quick?: (row: T) => ReactNode
  /** `Menu.Item`s of a row. */
  actions?: (row: T) => ReactNode
  selected?: Selected
  onOpen?: (row: T) => void
  /** The row that is shown beside the table. */
  open?: string | null
}

/** Every list of the page: the server sorts, filters and pages. */
export function DataTable<T>(props: TableProps<T>) {
  const [hidden, setHidden] = useLocalStorage<string[]>({
    key: `crs-columns-${props.id}`,
    defaultValue: [],
  })
  const narrow = useMediaQuery('(max-width: 767px)', undefined, { getInitialValueInEffect: false })
  const columns = props.columns.filter((column) => !hidden.includes(column.id))
  const hiding = { all: props.columns, hidden, setHidden }
  const isEmpty = props.rows?.length === 0
  return (
    <>
      {props.tools ? (
        <Tools>
          {props.tools}
          {narrow ? null : <ColumnsMenu {...hiding} />}
        </Tools>
      ) : null}
      {props.error && !props.rows ? (
        <ErrorState error={props.error} retry={props.retry} />
      ) : isEmpty ? (
        props.empty
      ) : (
        <>
          {narrow ? (
            <Entries {...props} columns={columns} />
          ) : (
            <Rows {...props} columns={columns} />
          )}
          <Foot {...props} columnsMenu={props.tools ? null : <ColumnsMenu {...hiding} />} />
        </>
      )}
    </>
  )
}

interface Hiding<T> {
  all: Column<T>[]
  hidden: string[]
  setHidden: (hidden: string[]) => void
}

/** Which columns a person wants to see. */
function ColumnsMenu<T>({ all, hidden, setHidden }: Hiding<T>) {
  const { t } = useTranslation('common')
  const hides = all.filter((column) => column.hides)
  const flip = (id: string) =>
    setHidden(hidden.includes(id) ? hidden.filter((it) => it !== id) : [...hidden, id])
  if (hides.length === 0) return null
  return (
    <Menu closeOnItemClick={false} position="bottom-end" width={200}>
      <Menu.Target>
        <ActionIcon
          className={css.columns}
          variant="subtle"
          color="gray"
          aria-label={t('columns')}
          title={t('columns')}
        >
          <Columns3 size={17} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {hides.map((column) => (
          <Menu.Item
            key={column.id}
            role="menuitemcheckbox"
            aria-checked={!hidden.includes(column.id)}
            leftSection={
              <Check size={15} aria-hidden opacity={hidden.includes(column.id) ? 0 : 1} />
            }
            onClick={() => flip(column.id)}
          >
            {column.title}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

/** Places of rows that are still being asked for. */
const WAITING = Array.from({ length: 10 }, (_, index) => index)

function Rows<T>(props: TableProps<T>) {
  const { t } = useTranslation('common')
  const { columns, rows, selected } = props
  const ids = rows?.map(props.idOf) ?? []
  const chosen = ids.filter((id) => selected?.ids.has(id)).length
  const all = () => {
    const next = new Set(selected?.ids)
    for (const id of ids) chosen === ids.length ? next.delete(id) : next.add(id)
    selected?.set(next)
  }
  return (
    <table className={css.table} data-old={props.old} aria-busy={!rows}>
      <thead>
        <tr>
          {selected ? (
            <th style={{ width: 36 }}>
              <Checkbox
                size="xs"
                aria-label={t('selectAll')}
                checked={chosen > 0 && chosen === ids.length}
                indeterminate={chosen > 0 && chosen < ids.length}
                onChange={all}
              />
            </th>
          ) : null}
          {columns.map((column) => (
            <Head key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
          ))}
          {props.actions || props.quick ? (
            <th style={{ width: props.quick ? 88 : 44 }}>
              <span className="unseen">{t('more')}</span>
            </th>
          ) : null}
        </tr>
      </thead>
      <tbody>
        {rows
          ? rows.map((row) => <Row key={props.idOf(row)} row={row} {...props} />)
          : WAITING.map((row) => (
              <tr key={row} className={css.waits}>
                {selected ? <td /> : null}
                {columns.map((column) => (
                  <td key={column.id} data-number={column.number}>
                    <Skeleton height={12} width={column.number ? 48 : '62%'} />
                  </td>
                ))}
                {props.actions || props.quick ? <td /> : null}
              </tr>
            ))}
      </tbody>
    </table>
  )
}

function Head<T>({
  column,
  sort,
  onSort,
}: {
  column: Column<T>
  sort?: string
  onSort?: (sort: string) => void
}) {
  const falls = sort === `-${column.id}`
  const rises = sort === column.id
  const order = falls ? 'descending' : rises ? 'ascending' : 'none'
  // Numbers are of interest from the largest on.
  const next = column.number
    ? falls
      ? column.id
      : `-${column.id}`
    : rises
      ? `-${column.id}`
      : column.id
  const Arrow = falls ? ArrowDown : rises ? ArrowUp : ChevronsUpDown
  return (
    <th
      style={{ width: column.width }}
      data-number={column.number}
      aria-sort={column.sorts && onSort ? order : undefined}
    >
      {column.sorts && onSort ? (
        <button type="button" className={css.sort} onClick={() => onSort(next)}>
          {column.title}
          <Arrow size={13} aria-hidden />
        </button>
      ) : (
        column.title
      )}
    </th>
  )
}

function toggle(selected: Selected, id: string) {
  const next = new Set(selected.ids)
  if (!next.delete(id)) next.add(id)
  selected.set(next)
}

function Row<T>({ row, ...props }: TableProps<T> & { row: T }) {
  const { t } = useTranslation('common')
  const { selected, onOpen } = props
  const id = props.idOf(row)
  const name = props.nameOf(row)
  return (
    <tr data-chosen={selected?.ids.has(id) || props.open === id || undefined}>
      {selected ? (
        <td>
          <Checkbox
            size="xs"
            aria-label={t('select', { name })}
            checked={selected.ids.has(id)}
            onChange={() => toggle(selected, id)}
          />
        </td>
      ) : null}
      {props.columns.map((column, place) => (
        <td key={column.id} data-number={column.number}>
          {place === 0 && onOpen ? (
            <UnstyledButton className={css.opens} onClick={() => onOpen(row)}>
              {column.cell(row)}
            </UnstyledButton>
          ) : (
            column.cell(row)
          )}
        </td>
      ))}
      {props.actions || props.quick ? (
        <td>
          <div className={css.acts}>
            {props.quick ? <span className={css.quick}>{props.quick(row)}</span> : null}
            {props.actions ? <RowMenu name={name}>{props.actions(row)}</RowMenu> : null}
          </div>
        </td>
      ) : null}
    </tr>
  )
}

function RowMenu({ name, children }: { name: string; children: ReactNode }) {
  const { t } = useTranslation('common')
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={t('actionsOf', { name })}>
          <Ellipsis size={17} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>{children}</Menu.Dropdown>
    </Menu>
  )
}

function Entries<T>(props: TableProps<T>) {
  const { rows } = props
  if (!rows) {
    return WAITING.slice(0, 6).map((row) => (
      <div key={row} className={css.entry} aria-busy="true">
        <Skeleton height={36} />
        <Skeleton height={36} width={64} />
        <Skeleton height={20} className={css.wide} />
      </div>
    ))
  }
  return (
    <div data-old={props.old} className={css.entries}>
      {rows.map((row) => (
        <Entry key={props.idOf(row)} row={row} {...props} />
      ))}
    </div>
  )
}

function Entry<T>({ row, ...props }: TableProps<T> & { row: T }) {
  const { t } = useTranslation('common')
  const { selected, onOpen } = props
  const [first, ...rest] = props.columns
  const at = (place: Column<T>['phone']) => rest.filter((it) => (it.phone ?? 'below') === place)
  const id = props.idOf(row)
  return (
    <div className={css.entry} data-chosen={selected?.ids.has(id) || undefined}>
      <div className={css.entryName}>
        {selected ? (
          <Checkbox
            size="sm"
            aria-label={t('select', { name: props.nameOf(row) })}
            checked={selected.ids.has(id)}
            onChange={() => toggle(selected, id)}
          />
        ) : null}
        {onOpen ? (
          <UnstyledButton className={css.opens} onClick={() => onOpen(row)}>
            {first?.cell(row)}
          </UnstyledButton>
        ) : (
          <div>{first?.cell(row)}</div>
        )}
      </div>
      <div className={css.entryHead}>
        {at('head').map((column) => (
          <div key={column.id}>{column.cell(row)}</div>
        ))}
        {props.quick ? props.quick(row) : null}
        {props.actions ? <RowMenu name={props.nameOf(row)}>{props.actions(row)}</RowMenu> : null}
      </div>
      {at('below').map((column) => (
        <div key={column.id} className={`${css.wide} ${column.number ? css.pair : ''}`}>
          {column.number ? <span className="quiet">{column.title}</span> : null}
          <div>{column.cell(row)}</div>
        </div>
      ))}
      {at('half').length > 0 ? (
        <div className={`${css.wide} ${css.halves}`}>
          {at('half').map((column) => (
            <div key={column.id}>
              <div className={css.halfTitle}>{column.title}</div>
              {column.cell(row)}
            </div>
          ))}
        </div>
      ) : null}
    </div>
  )
}
