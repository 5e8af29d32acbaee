import { Anchor, Button, Checkbox, PasswordInput, Select, Stack, TextInput } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { ExternalLink } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { AccountItem, Kind, Login, LoginDone } from '@/api/types/accounts'
import { PageHead } from '@/parts/PageHead'
import { State } from '@/parts/State'
import { useProblem } from '@/parts/States'
import { FormRow } from '@/parts/small'
import { ProxyTest } from '../account-edit/Rows'

interface Wish {
  kind: string
  name: string
  base_url: string
  proxy: string
  secret: string
  setup_token: boolean
}

const NOTHING: Wish = {
  kind: 'claude-oauth',
  name: '',
  base_url: '',
  proxy: '',
  secret: '',
  setup_token: false,
}

/** Adds an account, or signs in again to one that is there. */
export default function AddAccountPage() {
  const { t } = useTranslation('accounts')
  const { account } = useSearch({ strict: false }) as { account?: string }
  const [login, setLogin] = useState<Login | null>(null)
  const title = account ? t('signInAgain') : t('add')
  return (
    <div style={{ maxWidth: 980 }}>
      <PageHead title={title} crumb={{ to: '/accounts', name: t('title') }} />
      {login ? (
        <Code login={login} again={() => setLogin(null)} />
      ) : account ? (
        <Again account={account} begun={setLogin} />
      ) : (
        <New begun={setLogin} />
      )}
    </div>
  )
}

function useOpened() {
  const navigate = useNavigate()
  return async (account: AccountItem) => {
    await refresh('account')
    await navigate({ to: '/accounts/$account', params: { account: account.id } })
  }
}

function Again({ account, begun }: { account: string; begun: (login: Login) => void }) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [wrong, setWrong] = useState<string | null>(null)
  const begin = () =>
    post<Login>('/admin/logins', { account })
      .then(begun)
      .catch((error) => setWrong(problem(error)))
  return (
    <Stack align="flex-start">
      <p>{t('againText')}</p>
      <Button onClick={begin}>{t('beginSignIn')}</Button>
      {wrong ? <State kind="failing">{wrong}</State> : null}
    </Stack>
  )
}

function New({ begun }: { begun: (login: Login) => void }) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const opened = useOpened()
  const kinds = useRead<Kind[]>('kind', '/admin/kinds').data ?? []
  const [wish, setWish] = useState(NOTHING)
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const kind = kinds.find((it) => it.kind === wish.kind)
  const byLink = kind?.oauth === true && wish.secret.trim() === ''
  const set = (change: Partial<Wish>) => setWish((before) => ({ ...before, ...change }))
  const faultOf = (field: string) => (wrong?.field === field ? wrong.text : null)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    setWrong(null)
    if (!wish.name.trim()) return setWrong({ field: 'name', text: t('needsName') })
    setBusy(true)
    const fields = {
      kind: wish.kind,
      name: wish.name.trim(),
      base_url: wish.base_url.trim() || null,
      proxy: wish.proxy.trim() || null,
    }
    try {
      if (byLink)
        begun(await post<Login>('/admin/logins', { new: fields, setup_token: wish.setup_token }))
      else
        await opened(
          await post<AccountItem>('/admin/accounts', { ...fields, secret: wish.secret.trim() }),
        )
    } catch (error) {
      setWrong({ field: error instanceof ApiError ? error.field : null, text: problem(error) })
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={send} noValidate>
      <FormRow label={t('kind')} why={kind?.flow_help}>
        <Select
          aria-label={t('kind')}
          allowDeselect={false}
          data={kinds.map((it) => ({ value: it.kind, label: it.name }))}
          value={wish.kind}
          onChange={(value) => set({ kind: value ?? NOTHING.kind })}
        />
      </FormRow>
      <FormRow label={t('name')} why={t('nameWhy')}>
        <TextInput
          aria-label={t('name')}
          value={wish.name}
          error={faultOf('name')}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
      </FormRow>
      <FormRow label={t('address')} why={t('addressWhy')}>
        <TextInput
          aria-label={t('address')}
          placeholder={kind?.default_base_url}
          value={wish.base_url}
          error={faultOf('base_url')}
          onChange={(event) => set({ base_url: event.currentTarget.value })}
        />
      </FormRow>
      <FormRow label={t('proxy')} why={t('proxyWhy')}>
        <TextInput
          aria-label={t('proxy')}
          placeholder="socks5://host:1080"
          value={wish.proxy}
          error={faultOf('proxy')}
          onChange={(event) => set({ proxy: event.currentTarget.value })}
        />
        {wish.proxy.trim() ? (
          <ProxyTest kind={wish.kind} proxy={wish.proxy.trim()} base_url={wish.base_url} />
        ) : null}
      </FormRow>
      <FormRow
        label={kind?.oauth ? t('tokens') : t('apiKey')}
        why={kind?.oauth ? t('tokensWhy') : t('apiKeyWhy')}
      >
        <PasswordInput
          aria-label={kind?.oauth ? t('tokens') : t('apiKey')}
          autoComplete="off"
          value={wish.secret}
          error={faultOf('secret')}
          onChange={(event) => set({ secret: event.currentTarget.value })}
          visibilityToggleButtonProps={{ 'aria-label': t('show') }}
        />
        {kind?.setup_token && byLink ? (
          <Checkbox
            mt={8}
            label={t('setupToken')}
            checked={wish.setup_token}
            onChange={(event) => set({ setup_token: event.currentTarget.checked })}
          />
        ) : null}
      </FormRow>
      {wrong && !['name', 'base_url', 'proxy', 'secret'].includes(wrong.field ?? '') ? (
        <State kind="failing">{wrong.text}</State>
      ) : null}
      <Button type="submit" mt={16} loading={busy}>
        {byLink ? t('beginSignIn') : t('add')}
      </Button>
    </form>
  )
}

function Code({ login, again }: { login: Login; again: () => void }) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const opened = useOpened()
  const [code, setCode] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    try {
      const done = await post<LoginDone>(`/admin/logins/${login.login}`, { code: code.trim() })
      await opened(done.account)
    } catch (error) {
      setWrong(problem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={send}>
      <FormRow label={t('openLink')} why={t('openLinkWhy')}>
        <Anchor href={login.url} target="_blank" rel="noreferrer">
          {t('openPage', { service: login.service })} <ExternalLink size={14} aria-hidden />
        </Anchor>
      </FormRow>
      <FormRow label={t('pasteCode')} why={t('pasteCodeWhy')}>
        <TextInput
          aria-label={t('pasteCode')}
          autoComplete="off"
          value={code}
          error={wrong}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
      </FormRow>
      <Button type="submit" mt={16} loading={busy}>
        {t('finish')}
      </Button>
      {wrong ? (
        <Button variant="subtle" mt={16} ml={8} onClick={again}>
          {t('anotherLink')}
        </Button>
      ) : null}
    </form>
  )
}
