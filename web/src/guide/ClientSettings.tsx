import { SegmentedControl, Stack } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Code } from '@/parts/small'
import { CLIENTS, type Client, SHELLS, type Shell, settingsOf } from './settings'

const ownShell = (): Shell => (navigator.userAgent.includes('Windows') ? 'powershell' : 'bash')

interface Props {
  /** The key, where it is known; else a place for it. */
  secret?: string
  client?: Client
}

/** What to copy so that a client calls this relay, with its address filled in. */
export function ClientSettings({ secret, client: only }: Props) {
  const { t } = useTranslation('guide')
  const [chosen, setClient] = useState<Client>(only ?? 'claude-code')
  const [shell, setShell] = useState<Shell>(ownShell)
  const client = only ?? chosen
  const pieces = settingsOf(client, shell, window.location.origin, secret ?? t('yourKey'))
  return (
    <Stack gap={12}>
      {only ? null : (
        <SegmentedControl
          aria-label={t('client')}
          value={client}
          onChange={(next) => setClient(next as Client)}
          data={CLIENTS.map((value) => ({ value, label: t(`name.${value}`) }))}
        />
      )}
      {client === 'cherry-studio' ? null : (
        <SegmentedControl
          size="xs"
          aria-label={t('shell')}
          value={shell}
          onChange={(next) => setShell(next as Shell)}
          data={SHELLS.map((value) => ({ value, label: t(`shells.${value}`) }))}
        />
      )}
      {pieces.map((piece) => (
        <div key={piece.file ?? 'lines'}>
          <div className="quiet">
            {client === 'cherry-studio' || !piece.file
              ? (piece.file ?? t('lines'))
              : t('intoFile', { file: piece.file })}
          </div>
          <Code text={piece.text} />
        </div>
      ))}
    </Stack>
  )
}
