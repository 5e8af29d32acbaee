import { Tabs } from '@mantine/core'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useMayChange } from '@/api/session'
import { PageHead } from '@/parts/PageHead'
import { Admins } from './Admins'
import { Audit } from './Audit'
import { Clients, General, RunningSettings } from './General'
import { SignInSettings } from './SignInSettings'
import { Tokens } from './Tokens'

const PARTS = ['sign-in', 'general', 'admins', 'tokens', 'clients', 'running', 'audit'] as const

/** Who may sign in, by what, and what they changed. */
export default function SettingsPage() {
  const { t } = useTranslation('settings')
  const navigate = useNavigate()
  const mayChange = useMayChange()
  const { part = PARTS[0] } = useParams({ strict: false }) as { part?: string }
  const open = (next: string | null) =>
    navigate({ to: '/settings/$part', params: { part: next ?? PARTS[0] } })
  return (
    <div style={{ maxWidth: 1120 }}>
      <PageHead title={t('title')} />
      <Tabs value={part} onChange={open} keepMounted={false}>
        <Tabs.List mb={16}>
          {PARTS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {t(`part.${name}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="sign-in">
          <SignInSettings />
        </Tabs.Panel>
        <Tabs.Panel value="general">
          <General mayChange={mayChange} />
        </Tabs.Panel>
        <Tabs.Panel value="clients">
          <Clients />
        </Tabs.Panel>
        <Tabs.Panel value="running">
          <RunningSettings />
        </Tabs.Panel>
        <Tabs.Panel value="admins">
          <Admins mayChange={mayChange} />
        </Tabs.Panel>
        <Tabs.Panel value="tokens">
          <Tokens mayChange={mayChange} />
        </Tabs.Panel>
        <Tabs.Panel value="audit">
          <Audit />
        </Tabs.Panel>
      </Tabs>
    </div>
  )
}
