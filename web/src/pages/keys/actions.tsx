import { Button, Group, Menu, Modal, NumberInput, Select, Stack, TagsInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useNavigate } from '@tanstack/react-router'
import {
  CalendarPlus,
  CircleCheck,
  CircleSlash,
  Pencil,
  RefreshCw,
  RotateCcw,
  Trash2,
} from 'lucide-react'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { del, post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { KeyItem, KeySuggestions, RotatedItem } from '@/api/types/keys'
import { KeyShown } from '@/guide/KeyShown'
import { Confirm } from '@/parts/Confirm'
import { useProblem } from '@/parts/States'

/** What is asked before it is done. */
export type Asked = 'renew' | 'rotate' | 'remove'

/** What is done to one key at once. */
export function useKeyActions() {
  const problem = useProblem()
  return async (key: KeyItem, action: 'enable' | 'disable' | 'restore') => {
    try {
      await post(`/admin/keys/${key.id}/${action}`)
      await refresh('key')
    } catch (error) {
      notifications.show({ color: 'red', message: problem(error) })
    }
  }
}

interface MenuProps {
  item: KeyItem
  ask: (what: Asked) => void
}

/** The items of a key's menu. */
export function KeyMenu({ item, ask }: MenuProps) {
  const { t } = useTranslation('keys')
  const navigate = useNavigate()
  const act = useKeyActions()
  if (item.state === 'removed')
    return (
      <Menu.Item leftSection={<RotateCcw size={16} />} onClick={() => act(item, 'restore')}>
        {t('restore')}
      </Menu.Item>
    )
  return (
    <>
      <Menu.Item
        leftSection={<Pencil size={16} />}
        onClick={() => navigate({ to: '/keys/$key/edit', params: { key: item.id } })}
      >
        {t('edit')}
      </Menu.Item>
      {item.expires_at || item.lasts_seconds ? (
        <Menu.Item leftSection={<CalendarPlus size={16} />} onClick={() => ask('renew')}>
          {t('renew')}
        </Menu.Item>
      ) : null}
      <Menu.Item leftSection={<RefreshCw size={16} />} onClick={() => ask('rotate')}>
        {t('rotate')}
      </Menu.Item>
      {item.enabled ? (
        <Menu.Item leftSection={<CircleSlash size={16} />} onClick={() => act(item, 'disable')}>
          {t('disable')}
        </Menu.Item>
      ) : (
        <Menu.Item leftSection={<CircleCheck size={16} />} onClick={() => act(item, 'enable')}>
          {t('enable')}
        </Menu.Item>
      )}
      <Menu.Divider />
      <Menu.Item color="red" leftSection={<Trash2 size={16} />} onClick={() => ask('remove')}>
        {t('remove')}
      </Menu.Item>
    </>
  )
}

interface DialogsProps {
  /** Of which key what is asked. */
  item: KeyItem | null
  asked: Asked | null
  close: () => void
  removed?: () => void
}

/** What is asked before a key is renewed, given another secret or removed. */
export function KeyDialogs({ item, asked, close, removed }: DialogsProps) {
  const { t } = useTranslation('keys')
  const [shown, setShown] = useState(item)
  if (item && item !== shown) setShown(item)
  if (!shown) return null
  const remove = async () => {
    await del(`/admin/keys/${shown.id}`)
    await refresh('key')
    removed?.()
  }
  return (
    <>
      <Renew
        opened={asked === 'renew'}
        close={close}
        send={async (renewal) => {
          await post(`/admin/keys/${shown.id}/renew`, renewal)
          await refresh('key')
        }}
      />
      {asked === 'rotate' ? <Rotate item={shown} close={close} /> : null}
      <Confirm
        opened={asked === 'remove'}
        close={close}
        title={t('removeTitle', { name: shown.name })}
        verb={t('remove')}
        name={shown.name}
        act={remove}
      >
        {t('removeText')}
      </Confirm>
    </>
  )
}

interface AskProps {
  opened: boolean
  close: () => void
  title: string
  verb: string
  send: () => Promise<unknown>
  children: ReactNode
}

/** A small window with a field or two. */
export function Ask({ opened, close, title, verb, send, children }: AskProps) {
  const { t } = useTranslation('common')
  const problem = useProblem()
  const [wrong, setWrong] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const go = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setWrong(null)
    try {
      await send()
    } catch (error) {
      setWrong(problem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened={opened} onClose={close} title={title} centered>
      <form onSubmit={go}>
        <Stack gap={12}>
          {children}
          {wrong ? (
            <p role="alert" style={{ color: 'var(--crs-failing)' }}>
              {wrong}
            </p>
          ) : null}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={close}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={busy}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}

interface RenewProps {
  opened: boolean
  close: () => void
  send: (renewal: { days: number; from: string }) => Promise<unknown>
}

/** Asks for how long, and from when on. */
export function Renew({ opened, close, send }: RenewProps) {
  const { t } = useTranslation('keys')
  const [days, setDays] = useState<number | string>(30)
  const [from, setFrom] = useState('later')
  return (
    <Ask
      opened={opened}
      close={close}
      title={t('renewTitle')}
      verb={t('renew')}
      send={async () => {
        await send({ days: Number(days) || 0, from })
        close()
      }}
    >
      <NumberInput
        label={t('renewFor')}
        suffix={` ${t('days')}`}
        min={1}
        value={days}
        onChange={setDays}
        data-autofocus
      />
      <Select
        label={t('renewFrom')}
        allowDeselect={false}
        value={from}
        onChange={(value) => setFrom(value ?? 'later')}
        data={['later', 'today', 'expiry'].map((value) => ({ value, label: t(`from.${value}`) }))}
      />
    </Ask>
  )
}

const HOUR = 3_600

/** Gives a key another secret, and shows it once. */
function Rotate({ item, close }: { item: KeyItem; close: () => void }) {
  const { t } = useTranslation('keys')
  const [hours, setHours] = useState<number | string>(24)
  const [done, setDone] = useState<RotatedItem | null>(null)
  const send = async () => {
    const overlap_seconds = Math.max(0, Number(hours) || 0) * HOUR
    setDone(await post<RotatedItem>(`/admin/keys/${item.id}/rotate`, { overlap_seconds }))
    await refresh('key')
  }
  if (done)
    return (
      <Modal opened onClose={close} title={t('rotated', { name: item.name })} size="xl" centered>
        <KeyShown keys={[{ id: item.id, name: item.name, secret: done.secret }]} close={close} />
      </Modal>
    )
  return (
    <Ask
      opened
      close={close}
      title={t('rotateTitle', { name: item.name })}
      verb={t('rotate')}
      send={send}
    >
      <p>{t('rotateText')}</p>
      <NumberInput
        label={t('overlap')}
        description={t('overlapWhy')}
        suffix={` ${t('hours')}`}
        min={0}
        value={hours}
        onChange={setHours}
        data-autofocus
      />
    </Ask>
  )
}

interface TagsProps {
  opened: boolean
  close: () => void
  send: (action: 'tag' | 'untag', tags: string[]) => Promise<unknown>
}

/** Gives several keys tags, or takes them away. */
export function Tags({ opened, close, send }: TagsProps) {
  const { t } = useTranslation('keys')
  const known = useRead<KeySuggestions>('key', '/admin/keys/suggestions', {}, opened).data
  const [tags, setTags] = useState<string[]>([])
  const [action, setAction] = useState('tag')
  return (
    <Ask
      opened={opened}
      close={close}
      title={t('tags')}
      verb={t(`bulk.${action}`)}
      send={async () => {
        await send(action as 'tag' | 'untag', tags)
        close()
      }}
    >
      <Select
        aria-label={t('tags')}
        allowDeselect={false}
        value={action}
        onChange={(value) => setAction(value ?? 'tag')}
        data={['tag', 'untag'].map((value) => ({ value, label: t(`bulk.${value}`) }))}
      />
      <TagsInput label={t('tags')} data={known?.tags ?? []} value={tags} onChange={setTags} />
    </Ask>
  )
}
