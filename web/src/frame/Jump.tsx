import { createSpotlight, Spotlight } from '@mantine/spotlight'
import '@mantine/spotlight/styles.layer.css'
import { useDebouncedValue } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { Key, Plus, Search, Server } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useRead } from '@/api/queries'
import { PLACES } from './nav'

const [store, spotlight] = createSpotlight()

interface Named {
  items: { id: string; name: string }[]
}

/** "Search or jump to": pages, actions, accounts and keys by name. */
export function Jump({ jumps, onJumped }: { jumps: boolean; onJumped: () => void }) {
  const { t } = useTranslation('frame')
  const navigate = useNavigate()
  const [text, setText] = useState('')
  useEffect(() => {
    if (jumps) spotlight.open()
  }, [jumps])
  const [q] = useDebouncedValue(text.trim(), 200)
  const asks = q.length > 0
  const accounts = useRead<Named>('account', '/admin/accounts', { q, per_page: 10 }, asks)
  const keys = useRead<Named>('key', '/admin/keys', { q, per_page: 10 }, asks)
  const places = PLACES.map(({ to, name, icon: Icon }) => ({
    to,
    label: t(name),
    icon: <Icon size={16} />,
  }))
  const actions = [
    { to: '/accounts/add', label: t('addAccount'), icon: <Plus size={16} /> },
    { to: '/keys/add', label: t('addKey'), icon: <Plus size={16} /> },
  ]
  const fits = (label: string) => label.toLowerCase().includes(text.trim().toLowerCase())
  const found = asks
    ? [
        ...(accounts.data?.items ?? []).map((it) => ({
          to: `/accounts/${it.id}`,
          label: it.name,
          icon: <Server size={16} />,
        })),
        ...(keys.data?.items ?? []).map((it) => ({
          to: `/keys/${it.id}`,
          label: it.name,
          icon: <Key size={16} />,
        })),
      ]
    : []
  const all = [...[...places, ...actions].filter((it) => fits(it.label)), ...found]
  return (
    <Spotlight.Root
      store={store}
      query={text}
      onQueryChange={setText}
      onSpotlightClose={onJumped}
      shortcut={null}
      attributes={{ content: { 'aria-label': t('jump') } }}
      scrollable
      maxHeight={420}
    >
      <Spotlight.Search
        placeholder={t('jump')}
        aria-label={t('jump')}
        leftSection={<Search size={17} aria-hidden />}
        onKeyDown={(event) => {
          // Who types and presses Enter means what comes first.
          const [best] = all
          if (event.key !== 'Enter' || store.getState().selected >= 0 || !best) return
          spotlight.close()
          navigate({ to: best.to })
        }}
      />
      <Spotlight.ActionsList>
        {all.map((it) => (
          <Spotlight.Action
            key={it.to}
            label={it.label}
            leftSection={it.icon}
            onClick={() => navigate({ to: it.to })}
          />
        ))}
        {all.length === 0 ? <Spotlight.Empty>{t('nothingFound')}</Spotlight.Empty> : null}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  )
}
