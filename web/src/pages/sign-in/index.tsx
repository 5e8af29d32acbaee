import { Button, Code, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { CircleAlert, KeyRound } from 'lucide-react'
import { type FormEvent, type KeyboardEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from '@/api/client'
import { signIn } from '@/api/session'
import { useSite } from '@/api/site'
import { Mark } from '@/frame/Mark'
import { LanguageSwitch, SchemeSwitch } from '@/frame/Switches'
import { span } from '@/parts/format'
import { useProblem } from '@/parts/States'
import { Picture } from './Picture'
import css from './sign-in.module.css'

/** Where somebody goes who has signed in: only to an address of this page. */
const target = (to: unknown) =>
  typeof to === 'string' && to.startsWith('/') && !to.startsWith('//')
    ? to.replace(/^\/web/, '') || '/'
    : '/'

export default function SignInPage() {
  const { t } = useTranslation('signin')
  const site = useSite()
  const title = site?.title || t('product')
  useDocumentTitle(`${t('signIn')} · ${title}`)
  return (
    <div className={css.page}>
      <div className={css.left}>
        <header className={css.top}>
          <Mark logo={site?.logo} />
          <span>{title}</span>
          <LanguageSwitch />
          <SchemeSwitch />
        </header>
        <main className={css.form}>
          <h1>{t('signIn')}</h1>
          <p className={css.who}>{t('who')}</p>
          <Form />
        </main>
        <footer className={css.foot}>
          <KeyRound size={16} aria-hidden />
          <span>{t('haveKey')}</span>
          <Link to="/stats">{t('seeUse')}</Link>
        </footer>
      </div>
      <div className={css.right}>
        <Picture />
      </div>
    </div>
  )
}

function Form() {
  const { t } = useTranslation('signin')
  const problem = useProblem()
  const navigate = useNavigate()
  const { to } = useSearch({ strict: false }) as { to?: string }
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [asksCode, setAsksCode] = useState(false)
  const [wrong, setWrong] = useState<string | null>(null)
  const [caps, setCaps] = useState(false)
  const [busy, setBusy] = useState(false)
  /** The field that is most likely wrong. */
  const again = useRef<HTMLInputElement>(null)

  const told = (error: unknown): string | null => {
    if (!(error instanceof ApiError)) return problem(error)
    if (error.code === 'needs_second_factor') {
      const again = asksCode
      setAsksCode(true)
      return again ? t('wrongCode') : null
    }
    if (error.status === 429) return t('throttled', { wait: span(error.retryAfter ?? 60) })
    if (error.status === 401) return caps ? `${t('wrong')} ${t('caps')}` : t('wrong')
    return problem(error)
  }
  const send = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setWrong(null)
    try {
      const session = await signIn(
        name.trim(),
        password,
        asksCode ? code.replace(/\s/g, '') : undefined,
      )
      const next = session.must_change_password ? '/first-run' : target(to)
      await navigate({ href: `/web${next}`, replace: true })
    } catch (error) {
      setWrong(told(error))
      again.current?.focus()
    } finally {
      setBusy(false)
    }
  }
  const watchCaps = (event: KeyboardEvent) => setCaps(event.getModifierState('CapsLock'))
  return (
    <form onSubmit={send}>
      <Stack gap={16}>
        {wrong ? (
          <div className={css.wrong} role="alert">
            <CircleAlert size={16} aria-hidden />
            {wrong}
          </div>
        ) : null}
        {asksCode ? (
          <TextInput
            size="md"
            label={t('code')}
            description={t('codeText')}
            inputMode="numeric"
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            data-autofocus
            autoFocus
            ref={again}
          />
        ) : (
          <>
            <TextInput
              size="md"
              label={t('name')}
              autoComplete="username"
              autoCapitalize="none"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              autoFocus
              required
              withAsterisk={false}
            />
            <PasswordInput
              size="md"
              label={t('password')}
              autoComplete="current-password"
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              onKeyUp={watchCaps}
              visibilityToggleButtonProps={{ 'aria-label': t('showPassword') }}
              required
              withAsterisk={false}
              ref={again}
            />
          </>
        )}
        <Button type="submit" size="md" h={42} loading={busy} fullWidth>
          {t('signIn')}
        </Button>
      </Stack>
      <p className={css.forgotten}>
        {t('forgotten')}
        <Code>crs admin reset-password</Code>
      </p>
    </form>
  )
}
