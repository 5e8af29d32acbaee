import { SegmentedControl } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Section } from '@/parts/PageHead'
import { Code } from '@/parts/small'
import { ClientSettings } from './ClientSettings'
import { CLIENTS, type Client } from './settings'

/** What is installed by which line. */
const INSTALL: Partial<Record<Client, string>> = {
  'claude-code': 'npm install -g @anthropic-ai/claude-code',
  codex: 'npm install -g @openai/codex',
  'gemini-cli': 'npm install -g @google/gemini-cli',
}

/** How clients are set up, step by step. */
export function Guide({ secret }: { secret?: string }) {
  const { t } = useTranslation('guide')
  const [client, setClient] = useState<Client>('claude-code')
  const install = INSTALL[client]
  return (
    <div style={{ maxWidth: 760 }}>
      <SegmentedControl
        aria-label={t('client')}
        value={client}
        onChange={(next) => setClient(next as Client)}
        data={CLIENTS.map((value) => ({ value, label: t(`name.${value}`) }))}
      />
      <Section title={t('step.install')}>
        <p>{t(`install.${client}`)}</p>
        {install ? <Code text={install} /> : null}
      </Section>
      <Section title={t('step.settings')}>
        <p>{t(`how.${client}`)}</p>
        <ClientSettings client={client} {...(secret ? { secret } : {})} />
      </Section>
      <Section title={t('step.check')}>
        <p>{t(`check.${client}`)}</p>
      </Section>
      <Section title={t('step.wrong')}>
        <ul>
          {['401', '403', '429', 'proxy'].map((which) => (
            <li key={which}>{t(`wrong.${which}`)}</li>
          ))}
        </ul>
      </Section>
    </div>
  )
}
