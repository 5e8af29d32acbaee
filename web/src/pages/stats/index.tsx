import { Button, PasswordInput, Skeleton, UnstyledButton } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Info } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, ask } from '@/api/client'
import { useSite } from '@/api/site'
import type { Holder } from '@/api/types/stats'
import { Mark } from '@/frame/Mark'
import { LanguageSwitch, SchemeSwitch } from '@/frame/Switches'
import { Guide } from '@/guide/Guide'
import { Section } from '@/parts/PageHead'
import { ErrorState } from '@/parts/States'
import { HeldKey } from './HeldKey'
import { useHeldKeys } from './keys'
import css from './stats.module.css'

const tail = (key: string) => `…${key.slice(-4)}`

/** What who holds a key sees of it, with the key alone. */
export default function StatsPage() {
  const { t } = useTranslation('stats')
  const site = useSite()
  const title = site?.title || t('product')
  useDocumentTitle(`${t('title')} · ${title}`)
  const { keys, add, forget } = useHeldKeys()
  const [chosen, setChosen] = useState<string | null>(null)
  const [adds, setAdds] = useState(false)
  const key = chosen !== null && keys.includes(chosen) ? chosen : keys[0]
  const take = (next: string) => {
    add(next)
    setChosen(next)
    setAdds(false)
  }
  return (
    <div className={css.page}>
      <header className={css.top}>
        <Mark logo={site?.logo ?? ''} />
        <span>{title}</span>
        <LanguageSwitch />
        <SchemeSwitch />
      </header>
      <main>
        {site?.notice ? (
          <p className={css.notice}>
            <Info size={18} aria-hidden />
            {site.notice}
          </p>
        ) : null}
        {key === undefined || adds ? (
          <Enter take={take} {...(key ? { back: () => setAdds(false) } : {})} />
        ) : (
          <>
            <div className={css.keys}>
              {keys.map((one) => (
                <UnstyledButton
                  key={one}
                  className={css.key}
                  aria-pressed={one === key}
                  onClick={() => setChosen(one)}
                >
                  <code>{tail(one)}</code>
                </UnstyledButton>
              ))}
              <Button variant="subtle" size="compact-sm" onClick={() => setAdds(true)}>
                {t('add')}
              </Button>
            </div>
            <Shown key={key} secret={key} forget={() => forget(key)} />
          </>
        )}
      </main>
      <footer className={css.foot}>
        <Link to="/sign-in">{t('signIn')}</Link>
      </footer>
    </div>
  )
}

async function look(secret: string): Promise<Holder> {
  const headers = { authorization: `Bearer ${secret}` }
  return (await ask('GET', '/web/api/holder', undefined, { headers })).json()
}

function Shown({ secret, forget }: { secret: string; forget: () => void }) {
  const { t } = useTranslation('stats')
  const read = useQuery<Holder, ApiError>({
    queryKey: ['holder', secret],
    queryFn: () => look(secret),
    retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status < 500),
    refetchInterval: 60_000,
  })
  const drop = (
    <Button variant="subtle" color="gray" onClick={forget}>
      {t('forget')}
    </Button>
  )
  if (read.error && !read.data)
    return (
      <ErrorState error={read.error} retry={() => void read.refetch()}>
        {drop}
      </ErrorState>
    )
  if (!read.data) return <Skeleton height={480} aria-busy="true" />
  return (
    <>
      <HeldKey held={read.data} />
      <Section title={t('setUp')}>
        <Guide secret={secret} />
      </Section>
      {drop}
    </>
  )
}

function Enter({ take, back }: { take: (key: string) => void; back?: () => void }) {
  const { t } = useTranslation('stats')
  const [key, setKey] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const send = (event: FormEvent) => {
    event.preventDefault()
    const text = key.trim()
    if (!text) return setWrong(t('needsKey'))
    take(text)
  }
  return (
    <form onSubmit={send} className={css.enter}>
      <h1>{t('title')}</h1>
      <p className="quiet">{t('text')}</p>
      <PasswordInput
        label={t('key')}
        autoComplete="off"
        value={key}
        error={wrong}
        onChange={(event) => setKey(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('show') }}
        data-autofocus
      />
      <Button type="submit" fullWidth mt={12}>
        {t('look')}
      </Button>
      {back ? (
        <Button variant="subtle" color="gray" fullWidth mt={8} onClick={back}>
          {t('back')}
        </Button>
      ) : null}
    </form>
  )
}
