import { ActionIcon, Button } from '@mantine/core'
import { Plus, X } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import css from './parts.module.css'

interface Props<T> {
  lines: T[]
  set: (lines: T[]) => void
  /** A new line. */
  fresh: T
  /** The word on the button for another one. */
  add: string
  children: (line: T, put: (change: Partial<T>) => void) => ReactNode
}

/** Lines of a form that are added and taken away one by one. */
export function LineList<T extends object>({ lines, set, fresh, add, children }: Props<T>) {
  const { t } = useTranslation('common')
  return (
    <>
      {lines.map((line, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
        <div key={at} className={css.line}>
          {children(line, (change) =>
            set(lines.map((it, place) => (place === at ? { ...it, ...change } : it))),
          )}
          <ActionIcon
            variant="subtle"
            color="gray"
            size={34}
            aria-label={t('dropLine')}
            onClick={() => set(lines.filter((_, place) => place !== at))}
          >
            <X size={16} aria-hidden />
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<Plus size={14} />}
          onClick={() => set([...lines, fresh])}
        >
          {add}
        </Button>
      </div>
    </>
  )
}
