import { Button, Group, Modal } from '@mantine/core'
import { useHotkeys } from '@mantine/hooks'
import { useBlocker } from '@tanstack/react-router'
import { type ReactNode, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import css from './parts.module.css'

interface Props {
  onSend: () => void
  /** What will come of it, in words, beside the fields. */
  outcome?: ReactNode
  /** The word on the button. */
  verb: string
  onCancel: () => void
  busy?: boolean
  /** Whether leaving would lose something. */
  changed?: boolean
  /** What else is said at the foot. */
  note?: ReactNode
  children: ReactNode
}

/** A page that is a form: rows, what comes of them, and the actions always in view. */
export function FormPage({
  onSend,
  outcome,
  verb,
  onCancel,
  busy,
  changed,
  note,
  children,
}: Props) {
  const { t } = useTranslation('common')
  const form = useRef<HTMLFormElement>(null)
  useHotkeys([['mod+Enter', () => form.current?.requestSubmit()]], [])
  return (
    <form
      ref={form}
      className={css.formPage}
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        onSend()
      }}
    >
      <div className={css.form}>
        <div>{children}</div>
        {outcome ? <aside aria-live="polite">{outcome}</aside> : null}
      </div>
      <div className={css.formFoot}>
        <span className="quiet">{note ?? t('ctrlEnter')}</span>
        <Button variant="subtle" color="gray" onClick={onCancel}>
          {t('cancel')}
        </Button>
        <Button type="submit" loading={busy}>
          {verb}
        </Button>
      </div>
      <LeaveGuard when={(changed ?? false) && !busy} />
    </form>
  )
}

/** Asks before what was typed is lost. */
export function LeaveGuard({ when }: { when: boolean }) {
  const { t } = useTranslation('common')
  const { status, proceed, reset } = useBlocker({
    shouldBlockFn: ({ current, next }) => when && current.pathname !== next.pathname,
    enableBeforeUnload: when,
    withResolver: true,
  })
  return (
    <Modal opened={status === 'blocked'} onClose={() => reset?.()} title={t('leave')} centered>
      <p>{t('leaveText')}</p>
      <Group justify="flex-end" gap={8}>
        <Button variant="default" onClick={() => proceed?.()}>
          {t('leaveGo')}
        </Button>
        <Button onClick={() => reset?.()}>{t('leaveStay')}</Button>
      </Group>
    </Modal>
  )
}

/** Puts the focus on the first field that is wrong. */
export const focusFirstWrong = (root: ParentNode = document) =>
  requestAnimationFrame(() => root.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus())
