import {
  Button,
  Checkbox,
  NumberInput,
  PasswordInput,
  SegmentedControl,
  Select,
  Skeleton,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, patch, post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { AccountDetail, GroupItem, Kind, WayTest } from '@/api/types/accounts'
import { FormPage, focusFirstWrong } from '@/parts/Form'
import { LineList } from '@/parts/Lines'
import { PageHead } from '@/parts/PageHead'
import css from '@/parts/parts.module.css'
import { State } from '@/parts/State'
import { ErrorState, useProblem } from '@/parts/States'
import { FormRow } from '@/parts/small'
import { type AccountForm, changes, formOf } from './fields'

/** Changes an account. */
export default function EditAccountPage() {
  const { account: id } = useParams({ strict: false }) as { account: string }
  const read = useRead<AccountDetail>('account', `/admin/accounts/${encodeURIComponent(id)}`)
  if (read.error && !read.data) return <ErrorState error={read.error} retry={read.refetch} />
  if (!read.data) return <Skeleton height={600} aria-busy="true" />
  return <Edit key={read.data.id} account={read.data} />
}

interface RowsProps {
  account: AccountDetail
  form: AccountForm
  set: (change: Partial<AccountForm>) => void
  faultOf: (...fields: string[]) => string | null
}

function Edit({ account }: { account: AccountDetail }) {
  const { t } = useTranslation('accounts')
  const navigate = useNavigate()
  const problem = useProblem()
  const [before] = useState(() => formOf(account))
  const [form, setForm] = useState(before)
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const leave = () => navigate({ to: '/accounts/$account', params: { account: account.id } })
  const send = async () => {
    setWrong(null)
    setBusy(true)
    try {
      const body = changes(before, form)
      if (Object.keys(body).length) {
        await patch(`/admin/accounts/${account.id}`, body)
        await refresh('account', 'group')
      }
      await leave()
    } catch (error) {
      setWrong({ field: error instanceof ApiError ? error.field : null, text: problem(error) })
      focusFirstWrong()
    } finally {
      setBusy(false)
    }
  }
  const faultOf = (...fields: string[]) =>
    wrong?.field && fields.includes(wrong.field) ? wrong.text : null
  const rows = {
    account,
    form,
    faultOf,
    set: (change: Partial<AccountForm>) => setForm((was) => ({ ...was, ...change })),
  }
  return (
    <div style={{ maxWidth: 1120 }}>
      <PageHead
        title={t('editTitle', { name: account.name })}
        crumb={{ to: '/accounts', name: t('title') }}
      />
      <FormPage
        onSend={send}
        verb={t('saveChanges')}
        onCancel={leave}
        busy={busy}
        changed={form !== before}
        outcome={<Outcome form={form} />}
        note={wrong ? <span role="alert">{wrong.text}</span> : undefined}
      >
        <Names {...rows} />
        <Way {...rows} />
        <Serves {...rows} />
        <Limits {...rows} />
        <Requests {...rows} />
        <Waits {...rows} />
      </FormPage>
    </div>
  )
}

function Names({ account, form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('accounts')
  const groups = useRead<GroupItem[]>('group', '/admin/groups').data ?? []
  return (
    <FormRow label={t('row.names')} why={account.kind}>
      <div className={css.fields}>
        <TextInput
          label={t('name')}
          value={form.name}
          error={faultOf('name')}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
        <TagsInput
          label={t('groups')}
          data={groups.map((group) => group.name)}
          value={form.groups}
          error={faultOf('groups')}
          onChange={(value) => set({ groups: value })}
        />
        <Textarea
          style={{ gridColumn: '1 / -1' }}
          label={t('note')}
          autosize
          minRows={1}
          value={form.note}
          onChange={(event) => set({ note: event.currentTarget.value })}
        />
      </div>
    </FormRow>
  )
}

function Way({ account, form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('accounts')
  const kinds = useRead<Kind[]>('kind', '/admin/kinds').data ?? []
  const kind = kinds.find((it) => it.kind === account.kind)
  return (
    <FormRow label={t('row.way')} why={t('row.wayWhy')}>
      <div className={css.stack}>
        <TextInput
          label={t('address')}
          placeholder={kind?.default_base_url}
          value={form.base_url}
          error={faultOf('base_url')}
          onChange={(event) => set({ base_url: event.currentTarget.value })}
        />
        <TextInput
          label={t('proxy')}
          description={account.proxy ? t('proxyNow', { proxy: account.proxy }) : t('noProxy')}
          placeholder="socks5://host:1080"
          value={form.proxy}
          error={faultOf('proxy')}
          disabled={form.dropProxy}
          onChange={(event) => set({ proxy: event.currentTarget.value })}
        />
        {account.proxy ? (
          <Checkbox
            label={t('dropProxy')}
            checked={form.dropProxy}
            onChange={(event) => set({ dropProxy: event.currentTarget.checked })}
          />
        ) : null}
        {form.proxy.trim() ? (
          <ProxyTest kind={account.kind} proxy={form.proxy.trim()} base_url={form.base_url} />
        ) : null}
        {kind?.oauth ? null : (
          <PasswordInput
            label={t('newSecret')}
            description={account.secret_tail ? `…${account.secret_tail}` : t('none')}
            autoComplete="off"
            value={form.secret}
            error={faultOf('secret')}
            onChange={(event) => set({ secret: event.currentTarget.value })}
            visibilityToggleButtonProps={{ 'aria-label': t('show') }}
          />
        )}
      </div>
    </FormRow>
  )
}

interface ProxyTestProps {
  kind: string
  proxy: string
  base_url: string
}

/** Whether a proxy leads to where the account is reached. */
export function ProxyTest({ kind, proxy, base_url }: ProxyTestProps) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [said, setSaid] = useState<{ ok: boolean; words: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const test = async () => {
    setBusy(true)
    try {
      const asked = { proxy, kind, base_url: base_url.trim() || null }
      setSaid(await post<WayTest>('/admin/proxies/test', asked))
    } catch (error) {
      setSaid({ ok: false, words: problem(error) })
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className={css.stack}>
      <div>
        <Button variant="default" size="xs" onClick={test} loading={busy}>
          {t('testProxy')}
        </Button>
      </div>
      {said ? <State kind={said.ok ? 'able' : 'failing'}>{said.words}</State> : null}
    </div>
  )
}

function Serves({ form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('accounts')
  const sharing = ['shared', 'reserved'].map((value) => ({ value, label: t(`sharing.${value}`) }))
  const clients = ['any', 'claude_code'].map((value) => ({ value, label: t(`clients.${value}`) }))
  return (
    <FormRow label={t('row.serves')} why={t('row.servesWhy')}>
      <div className={css.stack}>
        <div className={css.fields}>
          <Choice
            label={t('sharing.label')}
            value={form.sharing}
            onChange={(value) => set({ sharing: value })}
            data={sharing}
          />
          <Choice
            label={t('clients.label')}
            value={form.clients}
            onChange={(value) => set({ clients: value })}
            data={clients}
          />
        </div>
        <TagsInput
          label={t('models')}
          description={t('modelsWhy')}
          value={form.models}
          error={faultOf('models')}
          onChange={(models) => set({ models })}
        />
        <LineList
          lines={form.map}
          set={(map) => set({ map })}
          fresh={{ from: '', to: '' }}
          add={t('addMap')}
        >
          {(one, put) => (
            <>
              <TextInput
                label={t('mapFrom')}
                value={one.from}
                onChange={(event) => put({ from: event.currentTarget.value })}
              />
              <TextInput
                label={t('mapTo')}
                value={one.to}
                onChange={(event) => put({ to: event.currentTarget.value })}
              />
            </>
          )}
        </LineList>
      </div>
    </FormRow>
  )
}

interface ChoiceProps {
  label: string
  value: string
  onChange: (value: string) => void
  data: { value: string; label: string }[]
}

const Choice = ({ label, ...rest }: ChoiceProps) => (
  <div>
    <div className={css.hint}>{label}</div>
    <SegmentedControl aria-label={label} {...rest} />
  </div>
)

function Limits({ form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('accounts')
  const amount = (name: keyof AccountForm, field: string, more: object = {}) => (
    <NumberInput
      label={t(`field.${name}`)}
      placeholder={t('noLimit')}
      min={0}
      hideControls
      value={form[name] as number | string}
      error={faultOf(field)}
      onChange={(value) => set({ [name]: value })}
      {...more}
    />
  )
  return (
    <FormRow label={t('row.limits')} why={t('row.limitsWhy')}>
      <div className={css.fields}>
        {amount('priority', 'priority', { min: undefined, placeholder: '50' })}
        {amount('weight', 'weight', { placeholder: '1' })}
        {amount('max_concurrency', 'max_concurrency')}
        {amount('stop5h', 'stop_at', { suffix: '%', max: 100 })}
        {amount('stop7d', 'stop_at', { suffix: '%', max: 100 })}
        {amount('daily', 'daily_cost_usd', { leftSection: '$', decimalScale: 4 })}
        <TextInput
          label={t('field.ends_at')}
          type="date"
          value={form.ends_at.slice(0, 10)}
          error={faultOf('ends_at')}
          onChange={(event) => set({ ends_at: event.currentTarget.value })}
        />
      </div>
    </FormRow>
  )
}

function Requests({ account, form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('accounts')
  return (
    <FormRow label={t('row.requests')} why={t('row.requestsWhy')}>
      <div className={css.stack}>
        <div className={css.fields}>
          {account.kind.endsWith('-api') ? (
            <Select
              label={t('keyHeader.label')}
              allowDeselect={false}
              value={form.key_header}
              onChange={(value) => set({ key_header: value ?? 'auto' })}
              data={['auto', 'x_api_key', 'bearer'].map((value) => ({
                value,
                label: t(`keyHeader.${value}`),
              }))}
            />
          ) : null}
          {account.kind === 'openai-api' ? (
            <Select
              label={t('speaks.label')}
              allowDeselect={false}
              value={form.speaks}
              onChange={(value) => set({ speaks: value ?? 'both' })}
              data={['both', 'chat', 'responses'].map((value) => ({
                value,
                label: t(`speaks.${value}`),
              }))}
            />
          ) : null}
          {account.kind === 'gemini-oauth' ? (
            <TextInput
              label={t('project')}
              value={form.project}
              error={faultOf('project')}
              onChange={(event) => set({ project: event.currentTarget.value })}
            />
          ) : null}
        </div>
        <LineList
          lines={form.headers}
          set={(headers) => set({ headers })}
          fresh={{ name: '', value: '', known: false }}
          add={t('addHeader')}
        >
          {(one, put) => (
            <>
              <TextInput
                label={t('headerName')}
                value={one.name}
                onChange={(event) => put({ name: event.currentTarget.value, known: false })}
              />
              <TextInput
                label={t('headerValue')}
                placeholder={one.known ? t('headerKept') : ''}
                value={one.value}
                onChange={(event) => put({ value: event.currentTarget.value })}
              />
            </>
          )}
        </LineList>
        <LineList
          lines={form.payload}
          set={(payload) => set({ payload })}
          fresh={{ path: '', json: '' }}
          add={t('addPayload')}
        >
          {(one, put) => (
            <>
              <TextInput
                label={t('payloadPath')}
                placeholder="thinking.type"
                value={one.path}
                onChange={(event) => put({ path: event.currentTarget.value })}
              />
              <TextInput
                label={t('payloadValue')}
                placeholder={t('payloadDrop')}
                value={one.json}
                onChange={(event) => put({ json: event.currentTarget.value })}
              />
            </>
          )}
        </LineList>
        {faultOf('headers', 'payload', 'map') ? (
          <State kind="failing">{faultOf('headers', 'payload', 'map')}</State>
        ) : null}
      </div>
    </FormRow>
  )
}

function Waits({ form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('accounts')
  const seconds = (name: 'first_byte' | 'unary' | 'idle', field: string) => (
    <NumberInput
      label={t(`field.${name}`)}
      placeholder={t('ownWait')}
      suffix=" s"
      min={0}
      hideControls
      value={form[name]}
      error={faultOf(field)}
      onChange={(value) => set({ [name]: value })}
    />
  )
  return (
    <FormRow label={t('row.waits')} why={t('row.waitsWhy')}>
      <div className={css.fields}>
        {seconds('first_byte', 'first_byte_timeout_ms')}
        {seconds('unary', 'unary_timeout_ms')}
        {seconds('idle', 'idle_timeout_ms')}
      </div>
    </FormRow>
  )
}

/** What will come of the form, in words. */
function Outcome({ form }: { form: AccountForm }) {
  const { t } = useTranslation('accounts')
  const marks = [
    form.stop5h === '' ? null : t('say.stop5h', { percent: form.stop5h }),
    form.stop7d === '' ? null : t('say.stop7d', { percent: form.stop7d }),
    form.daily === '' ? null : t('say.daily', { usd: form.daily }),
  ].filter((it) => it !== null)
  return (
    <div className={css.outcome}>
      <h2>{t('inWords')}</h2>
      <p>
        {[
          form.sharing === 'shared' ? t('say.shared') : t('say.reserved'),
          form.clients === 'any' ? '' : t('say.claudeCode'),
          t('say.turn', { priority: form.priority || 50 }),
          form.max_concurrency === ''
            ? ''
            : t('say.atOnce', { count: Number(form.max_concurrency) }),
          ...marks,
        ]
          .filter(Boolean)
          .join(' ')}
      </p>
    </div>
  )
}
