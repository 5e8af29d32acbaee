import { NumberInput, Select, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { LineList } from '@/parts/Lines'
import css from '@/parts/parts.module.css'
import { State } from '@/parts/State'
import { FormRow } from '@/parts/small'
import type { RowsProps } from './props'

export function Requests({ account, form, set, faultOf }: RowsProps) {
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

export function Waits({ form, set, faultOf }: RowsProps) {
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
