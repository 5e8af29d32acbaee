import {
  Button,
  Checkbox,
  NumberInput,
  PasswordInput,
  SegmentedControl,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { post } from '@/api/client'
import { useRead } from '@/api/queries'
import type { GroupItem, Kind, WayTest } from '@/api/types/accounts'
import { LineList } from '@/parts/Lines'
import css from '@/parts/parts.module.css'
import { State } from '@/parts/State'
import { useProblem } from '@/parts/States'
import { FormRow } from '@/parts/small'
import type { AccountForm } from './fields'
import type { RowsProps } from './props'

export function Names({ account, form, set, faultOf }: RowsProps) {
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

export function Way({ account, form, set, faultOf }: RowsProps) {
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

export function Serves({ form, set, faultOf }: RowsProps) {
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

export function Limits({ form, set, faultOf }: RowsProps) {
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
