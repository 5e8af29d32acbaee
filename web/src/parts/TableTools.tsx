import { Button, TextInput, UnstyledButton } from '@mantine/core'
import { useDebouncedCallback, useHotkeys } from '@mantine/hooks'
import { Search, X } from 'lucide-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Selected } from './DataTable'
import { count } from './format'
import css from './table.module.css'

/** Two lines of a cell: a name, and what is quieter. */
export const Two = ({ first, second }: { first: ReactNode; second?: ReactNode }) => (
  <>
    <div className={css.name}>{first}</div>
    {second ? <div className={css.second}>{second}</div> : null}
  </>
)

interface FiltersProps {
  label: string
  value: string
  options: { value: string; label: string; count?: number }[]
  onChange: (value: string) => void
  /** Chips among the tools, or underlined as the first division of a page. */
  look?: 'chips' | 'tabs'
}

/** Filters with how many there are of each. */
export function Filters({ label, value, options, onChange, look = 'chips' }: FiltersProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in a row
    <div role="group" aria-label={label} className={css.filters} data-look={look}>
      {options.map((option) => (
        <UnstyledButton
          key={option.value}
          className={css.filter}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.label}
          {option.count === undefined ? null : <span>{count(option.count)}</span>}
        </UnstyledButton>
      ))}
    </div>
  )
}

/** Searches a little after one has stopped typing. */
export function SearchField({
  value,
  onChange,
  placeholder,
}: {
  value: string
  onChange: (value: string) => void
  placeholder?: string
}) {
  const { t } = useTranslation('common')
  const [text, setText] = useState(value)
  const told = useRef(value)
  const tell = useDebouncedCallback((next: string) => {
    told.current = next
    onChange(next)
  }, 250)
  // Back, or "clear filters", changes what is searched for from without.
  useEffect(() => {
    if (value === told.current) return
    told.current = value
    setText(value)
  }, [value])
  return (
    <TextInput
      className={css.search}
      type="search"
      aria-label={placeholder ?? t('search')}
      placeholder={placeholder ?? t('search')}
      leftSection={<Search size={15} aria-hidden />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        tell(event.currentTarget.value)
      }}
    />
  )
}

/** Search and filters, over a table. */
export const Tools = ({ children }: { children: ReactNode }) => (
  <div className={css.tools}>{children}</div>
)

export interface BulkAction {
  label: string
  act: () => void
  danger?: boolean
}

interface Bar {
  selected: Selected
  /** How many match what was asked for, if all of them can be chosen. */
  matching?: number
  onAll?: () => void
  actions: BulkAction[]
}

/** What can be done to all that are chosen; Esc lets go of them. */
export function ActionBar({ selected, matching, onAll, actions }: Bar) {
  const { t } = useTranslation('common')
  const clear = () => selected.set(new Set())
  useHotkeys([['Escape', clear]])
  if (selected.ids.size === 0) return null
  return (
    <div
      className={css.bar}
      role="toolbar"
      aria-label={t('selected', { count: selected.ids.size })}
    >
      <span aria-live="polite">{t('selected', { count: selected.ids.size })}</span>
      {onAll && matching && matching > selected.ids.size ? (
        <button type="button" data-quiet="true" onClick={onAll}>
          {t('allThatMatch', { count: matching })}
        </button>
      ) : null}
      <hr />
      {actions.map((action) => (
        <button key={action.label} type="button" data-danger={action.danger} onClick={action.act}>
          {action.label}
        </button>
      ))}
      <hr />
      <button type="button" aria-label={t('clear')} title={t('clear')} onClick={clear}>
        <X size={16} aria-hidden />
      </button>
    </div>
  )
}

/** A quiet way out of filters that let nothing through. */
export function ClearFilters({ onClick }: { onClick: () => void }) {
  const { t } = useTranslation('common')
  return (
    <Button variant="default" onClick={onClick}>
      {t('clearFilters')}
    </Button>
  )
}
