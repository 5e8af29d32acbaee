import { ActionIcon, Drawer } from '@mantine/core'
import { useHotkeys } from '@mantine/hooks'
import { ChevronDown, ChevronUp, X } from 'lucide-react'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import css from './parts.module.css'

interface Props {
  opened: boolean
  close: () => void
  /** A quiet line over the title: an id, with what copies it. */
  over?: ReactNode
  title: ReactNode
  /** To the row before and after; also by the arrow keys. */
  onPrevious?: () => void
  onNext?: () => void
  children: ReactNode
}

/** The details of a row beside its table, which stays usable; on a phone over all of it. */
export function Sheet({ opened, close, over, title, onPrevious, onNext, children }: Props) {
  const { t } = useTranslation('common')
  useHotkeys(
    opened
      ? [
          ['ArrowUp', () => onPrevious?.()],
          ['ArrowDown', () => onNext?.()],
          ['Escape', close],
        ]
      : [],
  )
  useEffect(() => {
    if (!opened) return
    document.documentElement.dataset.sheet = 'open'
    return () => {
      delete document.documentElement.dataset.sheet
    }
  }, [opened])
  return (
    <Drawer.Root
      opened={opened}
      onClose={close}
      position="right"
      size="min(536px, 100vw)"
      lockScroll={false}
      trapFocus={false}
      closeOnEscape={false}
      transitionProps={{ duration: 150 }}
    >
      <Drawer.Content className={css.sheet}>
        <Drawer.Body>
          <div className={css.sheetHead}>
            <span>{over}</span>
            {onPrevious ? (
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={t('rowBefore')}
                onClick={onPrevious}
              >
                <ChevronUp size={18} aria-hidden />
              </ActionIcon>
            ) : null}
            {onNext ? (
              <ActionIcon variant="subtle" color="gray" aria-label={t('rowAfter')} onClick={onNext}>
                <ChevronDown size={18} aria-hidden />
              </ActionIcon>
            ) : null}
            <ActionIcon variant="subtle" color="gray" aria-label={t('close')} onClick={close}>
              <X size={18} aria-hidden />
            </ActionIcon>
          </div>
          <Drawer.Title component="h2">{title}</Drawer.Title>
          {children}
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  )
}
