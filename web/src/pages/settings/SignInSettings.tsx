import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, del, post, put } from '@/api/client'
import { queries, refresh, useRead } from '@/api/queries'
import { sessionQuery, useSession } from '@/api/session'
import type { Factor, Place } from '@/api/types/settings'
import { DataTable } from '@/parts/DataTable'
import { State } from '@/parts/State'
import { useProblem } from '@/parts/States'
import { Ago, Code, FormRow, When } from '@/parts/small'

const PASSWORD_CHARS_MIN = 8

/** One's own password, second factor, and where one is signed in. */
export function SignInSettings() {
  const { t } = useTranslation('settings')
  return (
    <>
      <FormRow label={t('password')} why={t('passwordWhy')}>
        <Password />
      </FormRow>
      <FormRow label={t('factor')} why={t('factorWhy')}>
        <SecondFactor />
      </FormRow>
      <FormRow label={t('sessions')} why={t('sessionsWhy')}>
        <Sessions />
      </FormRow>
    </>
  )
}

const sessionChanged = () => queries.invalidateQueries({ queryKey: sessionQuery.queryKey })

/** A small form whose outcome stands below its fields. */
function useSending(send: () => Promise<unknown>) {
  const problem = useProblem()
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setWrong(null)
    try {
      await send()
    } catch (error) {
      setWrong({ field: error instanceof ApiError ? error.field : null, text: problem(error) })
    } finally {
      setBusy(false)
    }
  }
  return { submit, busy, wrong, setWrong }
}

function Fields({ submit, children }: { submit: (event: FormEvent) => void; children: ReactNode }) {
  return (
    <form onSubmit={submit} style={{ maxWidth: 336 }}>
      <Stack gap={8}>{children}</Stack>
    </form>
  )
}

function Password() {
  const { t } = useTranslation('settings')
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [done, setDone] = useState(false)
  const { submit, busy, wrong } = useSending(async () => {
    if (next.length < PASSWORD_CHARS_MIN) throw new ApiError(0, 'invalid', t('tooShort'), 'new')
    await put('/admin/session/password', { current, new: next })
    setCurrent('')
    setNext('')
    setDone(true)
    await sessionChanged()
  })
  const faultOf = (field: string) => (wrong?.field === field ? wrong.text : null)
  return (
    <Fields submit={submit}>
      <PasswordInput
        label={t('current')}
        autoComplete="current-password"
        value={current}
        error={faultOf('current')}
        onChange={(event) => setCurrent(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('show') }}
      />
      <PasswordInput
        label={t('new')}
        autoComplete="new-password"
        value={next}
        error={faultOf('new')}
        onChange={(event) => setNext(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('show') }}
      />
      {wrong && wrong.field === null ? <State kind="failing">{wrong.text}</State> : null}
      {done ? <State kind="able">{t('passwordDone')}</State> : null}
      <Button type="submit" variant="default" loading={busy}>
        {t('changePassword')}
      </Button>
    </Fields>
  )
}

function SecondFactor() {
  const session = useSession()
  return session?.totp ? <DropFactor /> : <AddFactor />
}

function AddFactor() {
  const { t } = useTranslation('settings')
  const [factor, setFactor] = useState<Factor | null>(null)
  const [code, setCode] = useState('')
  const { submit, busy, wrong } = useSending(async () => {
    if (!factor) return setFactor(await post<Factor>('/admin/session/totp'))
    await put('/admin/session/totp', { code: code.replace(/\s/g, '') })
    await sessionChanged()
  })
  return (
    <Fields submit={submit}>
      {factor ? (
        <>
          <div>{t('factorScan')}</div>
          {factor.qr ? <Picture qr={factor.qr} /> : null}
          <Code text={factor.secret} />
          <a href={factor.url}>{t('factorOpen')}</a>
          <div>{t('factorThen')}</div>
          <TextInput
            label={t('code')}
            inputMode="numeric"
            autoComplete="one-time-code"
            value={code}
            error={wrong?.text}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
        </>
      ) : wrong ? (
        <State kind="failing">{wrong.text}</State>
      ) : null}
      <Button type="submit" variant="default" loading={busy}>
        {factor ? t('factorConfirm') : t('factorBegin')}
      </Button>
    </Fields>
  )
}

const MARGIN = 4

/** The secret as a picture: dark on light in either scheme, as cameras want it. */
function Picture({ qr }: { qr: { size: number; path: string } }) {
  const { t } = useTranslation('settings')
  const side = qr.size + 2 * MARGIN
  return (
    <svg
      role="img"
      aria-label={t('factorPicture')}
      width={196}
      height={196}
      viewBox={`${-MARGIN} ${-MARGIN} ${side} ${side}`}
      shapeRendering="crispEdges"
    >
      <rect x={-MARGIN} y={-MARGIN} width={side} height={side} fill="#ffffff" />
      <path d={qr.path} fill="#000000" />
    </svg>
  )
}

function DropFactor() {
  const { t } = useTranslation('settings')
  const [password, setPassword] = useState('')
  const { submit, busy, wrong } = useSending(async () => {
    await del('/admin/session/totp', { password })
    await sessionChanged()
  })
  return (
    <Fields submit={submit}>
      <State kind="able">{t('factorOn')}</State>
      <PasswordInput
        label={t('current')}
        autoComplete="current-password"
        value={password}
        error={wrong?.text}
        onChange={(event) => setPassword(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('show') }}
      />
      <Button type="submit" variant="default" loading={busy}>
        {t('factorDrop')}
      </Button>
    </Fields>
  )
}

function Sessions() {
  const { t } = useTranslation('settings')
  const read = useRead<Place[]>('session-places', '/admin/session/sessions')
  const end = async (place: Place) => {
    await del(`/admin/session/sessions/${place.id}`)
    await refresh('session-places')
  }
  return (
    <DataTable
      id="sessions"
      rows={read.data}
      error={read.error}
      retry={read.refetch}
      idOf={(row) => row.id}
      nameOf={(row) => row.address}
      empty={null}
      columns={[
        {
          id: 'address',
          title: t('from'),
          cell: (row) => (row.current ? t('thisOne', { address: row.address }) : row.address),
        },
        {
          id: 'agent',
          title: t('with'),
          cell: (row) => <span className="quiet">{row.user_agent}</span>,
        },
        { id: 'seen', title: t('seen'), cell: (row) => <Ago at={row.seen_at} /> },
        { id: 'created', title: t('since'), cell: (row) => <When at={row.created_at} /> },
        {
          id: 'end',
          title: '',
          cell: (row) =>
            row.current ? null : (
              <Button size="compact-sm" variant="default" onClick={() => end(row)}>
                {t('end')}
              </Button>
            ),
        },
      ]}
    />
  )
}
