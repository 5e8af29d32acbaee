import { Button, Code, PasswordInput, Stack } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { Link } from '@tanstack/react-router'
import { Check } from 'lucide-react'
import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { put } from '@/api/client'
import { queries, refresh, useRead } from '@/api/queries'
import { sessionQuery, useSession } from '@/api/session'
import { useLive } from '@/live/live'
import { useProblem } from '@/parts/States'
import css from './first-run.module.css'

const PASSWORD_CHARS_MIN = 8

interface Counted {
  total: number
}

/** From a fresh installation to the first call. */
export default function FirstRunPage() {
  const { t } = useTranslation('signin')
  const session = useSession()
  useDocumentTitle(`${t('first.title')} · ${session?.title || t('product')}`)
  const accounts = useRead<Counted>('account', '/admin/accounts', { per_page: 10 }).data?.total ?? 0
  const keys = useRead<Counted>('key', '/admin/keys', { per_page: 10 }).data?.total ?? 0
  const calls = useRead<Counted>('usage', '/admin/calls', { limit: 25 }).data?.total ?? 0
  const done = [!session?.must_change_password, accounts > 0, keys > 0, calls > 0]
  const now = done.indexOf(false)
  // The first call shows up by itself.
  const live = useLive()
  const moved = `${live?.calls_open} ${live?.finished.calls}`
  useEffect(() => {
    if (moved && calls === 0) void refresh('usage')
  }, [moved, calls])
  const step = (place: number) => ({ place, done: done[place] ?? false, now: place === now })
  return (
    <div className={css.page}>
      <h1>{t('first.title')}</h1>
      <p className={css.intro}>{t('first.text')}</p>
      <ol className={css.steps}>
        <Step
          {...step(0)}
          name={t('first.password')}
          text={done[0] ? t('first.passwordDone') : t('first.passwordText')}
          act={
            done[0] && !session?.totp ? (
              <Link to="/settings/$part" params={{ part: 'sign-in' }}>
                {t('first.totp')}
              </Link>
            ) : null
          }
        >
          {done[0] ? null : <Password />}
        </Step>
        <Step
          {...step(1)}
          name={t('first.account')}
          text={accounts ? t('first.accountDone', { count: accounts }) : t('first.accountText')}
          act={
            now >= 1 || now < 0 ? (
              <Go to="/accounts/add" main={now === 1} label={t('first.account')} />
            ) : null
          }
        />
        <Step
          {...step(2)}
          name={t('first.key')}
          text={keys ? t('first.keyDone', { count: keys }) : t('first.keyText')}
          act={
            now >= 2 || now < 0 ? (
              <Go to="/keys/add" main={now === 2} label={t('first.key')} />
            ) : null
          }
        />
        <Step
          {...step(3)}
          name={t('first.client')}
          text={calls ? t('first.clientDone') : t('first.clientText')}
          act={
            calls ? (
              <Go to="/" main label={t('first.openDashboard')} />
            ) : now === 3 ? (
              <Go to="/guide" main label={t('first.openGuide')} />
            ) : null
          }
        />
      </ol>
      <div className={css.demo}>
        <h2>{t('first.demo')}</h2>
        {t('first.demoText')} <Code>crs demo</Code>
      </div>
    </div>
  )
}

const Go = ({ to, main, label }: { to: string; main: boolean; label: string }) => (
  <Button component={Link} to={to} variant={main ? 'filled' : 'default'}>
    {label}
  </Button>
)

interface StepProps {
  place: number
  done: boolean
  now: boolean
  name: string
  text: string
  act?: ReactNode
  children?: ReactNode
}

const Step = ({ place, done, now, name, text, act, children }: StepProps) => (
  <li className={css.step} data-done={done} data-now={now} aria-current={now ? 'step' : undefined}>
    <span className={css.mark}>{done ? <Check size={15} aria-hidden /> : place + 1}</span>
    <div>
      <div className={css.name}>{name}</div>
      <div className={css.text}>{text}</div>
    </div>
    <div className={css.beside}>{act}</div>
    {children ? <div className={css.form}>{children}</div> : null}
  </li>
)

function Password() {
  const { t } = useTranslation('signin')
  const problem = useProblem()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    if (next.length < PASSWORD_CHARS_MIN) return setWrong(t('first.tooShort'))
    setBusy(true)
    try {
      await put('/admin/session/password', { current, new: next })
      await queries.invalidateQueries({ queryKey: sessionQuery.queryKey })
    } catch (error) {
      setWrong(problem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={send}>
      <Stack gap={8}>
        <PasswordInput
          label={t('first.current')}
          autoComplete="current-password"
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': t('showPassword') }}
        />
        <PasswordInput
          label={t('first.new')}
          autoComplete="new-password"
          value={next}
          onChange={(event) => setNext(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': t('showPassword') }}
          error={wrong}
        />
        <Button type="submit" loading={busy}>
          {t('first.change')}
        </Button>
      </Stack>
    </form>
  )
}
