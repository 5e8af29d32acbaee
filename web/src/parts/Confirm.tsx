import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useProblem } from './States'

interface Props {
  opened: boolean
  close: () => void
  title: string
  /** What goes, and what stays. */
  children: ReactNode
  /** The word on the button. */
  verb: string
  /** What has to be typed; without it, pressing is enough. */
  name?: string
  act: () => Promise<unknown>
}

/** Asks before something goes. */
export function Confirm({ opened, close, title, children, verb, name, act }: Props) {
  const { t } = useTranslation('common')
  const problem = useProblem()
  const [typed, setTyped] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const go = async () => {
    if (name && typed.trim() !== name) return setWrong(t('typeName', { name }))
    setBusy(true)
    try {
      await act()
      close()
    } catch (error) {
      setWrong(problem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened={opened} onClose={close} title={title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          go()
        }}
      >
        <Stack gap={12}>
          <div>{children}</div>
          {name ? (
            <TextInput
              label={t('typeName', { name })}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              error={wrong}
              data-autofocus
            />
          ) : wrong ? (
            <Text c="var(--crs-failing)" role="alert">
              {wrong}
            </Text>
          ) : null}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={close}>
              {t('cancel')}
            </Button>
            <Button type="submit" color="red" loading={busy}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
