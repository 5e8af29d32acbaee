import { Button, Group, Stack } from '@mantine/core'
import { Check, Download } from 'lucide-react'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { refresh, useRead } from '@/api/queries'
import { useLive } from '@/live/live'
import { download } from '@/parts/download'
import { State } from '@/parts/State'
import { Code } from '@/parts/small'
import { ClientSettings } from './ClientSettings'

interface Shown {
  id: string
  name: string
  secret: string
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** The keys as a table for other programs. */
export const keysAsCsv = (keys: Shown[]) =>
  ['id,name,key', ...keys.map((key) => [key.id, key.name, key.secret].map(quoted).join(','))].join(
    '\r\n',
  )

/** Keys just given out: the only time that they can be seen. */
export function KeyShown({ keys, close }: { keys: Shown[]; close: () => void }) {
  const { t } = useTranslation('guide')
  const [only] = keys
  return (
    <Stack gap={16}>
      <p>{t('shownOnce')}</p>
      {keys.length === 1 && only ? (
        <>
          <Code text={only.secret} />
          <ClientSettings secret={only.secret} />
          <FirstCall id={only.id} />
        </>
      ) : (
        <Code text={keys.map((key) => `${key.name}  ${key.secret}`).join('\n')} />
      )}
      <Group justify="flex-end" gap={8}>
        {keys.length > 1 ? (
          <Button
            variant="default"
            leftSection={<Download size={16} />}
            onClick={() => download('keys.csv', keysAsCsv(keys), 'text/csv')}
          >
            {t('asCsv')}
          </Button>
        ) : null}
        <Button onClick={close}>{t('done')}</Button>
      </Group>
    </Stack>
  )
}

/** Waits for the first call of a key, which tells that its settings are right. */
function FirstCall({ id }: { id: string }) {
  const { t } = useTranslation('guide')
  const used = useRead<{ last_used_at: string | null }>('key', `/admin/keys/${id}`).data
  const live = useLive()
  const moved = `${live?.calls_open} ${live?.finished.calls}`
  const waits = !used?.last_used_at
  useEffect(() => {
    if (moved && waits) void refresh('key')
  }, [moved, waits])
  if (waits) return <State kind="idle">{t('waits')}</State>
  return (
    <span role="status">
      <Check size={16} aria-hidden /> {t('came')}
    </span>
  )
}
