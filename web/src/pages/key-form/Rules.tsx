import {
  Group,
  NumberInput,
  SegmentedControl,
  Select,
  Switch,
  TagsInput,
  TextInput,
} from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { LineList } from '@/parts/Lines'
import css from '@/parts/parts.module.css'
import { FormRow } from '@/parts/small'
import { Amount, Chips, Fault } from './Fields'
import { type KeyForm, SERVICES, type Service } from './fields'
import type { RowsProps } from './props'

export function MayUse({ form, set, hints, faultOf }: RowsProps) {
  const { t } = useTranslation('keys')
  return (
    <FormRow label={t('row.mayUse')} why={t('row.mayUseWhy')}>
      <div className={css.stack}>
        <Chips
          label={t('services')}
          data={SERVICES.map((value) => ({ value, label: t(`service.${value}`) }))}
          value={form.services}
          onChange={(services) => set({ services })}
        />
        <Chips
          label={t('clients')}
          data={(hints?.clients ?? []).map((it) => ({ value: it.id, label: it.name }))}
          value={form.clients}
          onChange={(clients) => set({ clients })}
        />
        <Fault text={faultOf('rules.clients', 'rules.services')} />
        <div>
          <div className={css.hint}>{t('models')}</div>
          <SegmentedControl
            aria-label={t('models')}
            value={form.models}
            onChange={(models) => set({ models: models as KeyForm['models'] })}
            data={['all', 'only', 'but'].map((value) => ({
              value,
              label: t(`modelChoice.${value}`),
            }))}
          />
        </div>
        {form.models === 'only' ? (
          <TagsInput
            label={t('modelList')}
            description={t('patternWhy')}
            data={hints?.models ?? []}
            maxDropdownHeight={240}
            limit={50}
            value={form.modelList}
            onChange={(modelList) => set({ modelList })}
          />
        ) : null}
        {form.models === 'all' ? null : (
          <TagsInput
            label={t('deniedList')}
            description={t('patternWhy')}
            data={hints?.models ?? []}
            maxDropdownHeight={240}
            limit={50}
            value={form.deniedList}
            onChange={(deniedList) => set({ deniedList })}
          />
        )}
      </div>
    </FormRow>
  )
}

export function Accounts({ form, set, hints, faultOf }: RowsProps) {
  const { t } = useTranslation('keys')
  const data = (service: Service) => [
    { value: '', label: t('shared') },
    {
      group: t('groups'),
      items: (hints?.groups ?? []).map((name) => ({ value: `group:${name}`, label: name })),
    },
    {
      group: t('accounts'),
      items: (hints?.accounts ?? [])
        .filter((it) => it.service === service)
        .map((it) => ({ value: it.name, label: it.name })),
    },
  ]
  const bound = SERVICES.some((service) => form.bindings[service])
  return (
    <FormRow label={t('row.accounts')} why={t('row.accountsWhy')}>
      <div className={css.stack}>
        <div className={css.fields}>
          {SERVICES.map((service) => (
            <Select
              key={service}
              label={t(`service.${service}`)}
              allowDeselect={false}
              searchable
              value={form.bindings[service]}
              onChange={(target) =>
                set({ bindings: { ...form.bindings, [service]: target ?? '' } })
              }
              data={data(service)}
            />
          ))}
        </div>
        <Fault text={faultOf('bindings')} />
        {bound ? (
          <Switch
            label={t('fallback')}
            checked={form.fallback}
            onChange={(event) => set({ fallback: event.currentTarget.checked })}
          />
        ) : null}
      </div>
    </FormRow>
  )
}

export function Ends({ form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('keys')
  return (
    <FormRow label={t('row.ends')} why={t('row.endsWhy')}>
      <Group gap={12} align="flex-end">
        <SegmentedControl
          aria-label={t('row.ends')}
          value={form.ends}
          onChange={(ends) => set({ ends: ends as KeyForm['ends'] })}
          data={['never', 'date', 'first'].map((value) => ({ value, label: t(`ends.${value}`) }))}
        />
        {form.ends === 'date' ? (
          <TextInput
            aria-label={t('ends.date')}
            type="date"
            value={form.endDate}
            error={faultOf('expires_at')}
            onChange={(event) => set({ endDate: event.currentTarget.value })}
          />
        ) : null}
        {form.ends === 'first' ? (
          <NumberInput
            aria-label={t('ends.first')}
            min={1}
            w={140}
            suffix={` ${t('days')}`}
            value={form.lastsDays}
            error={faultOf('lasts_seconds')}
            onChange={(lastsDays) => set({ lastsDays })}
          />
        ) : null}
      </Group>
    </FormRow>
  )
}

export function More({ form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('keys')
  return (
    <FormRow label={t('row.more')} why={t('row.moreWhy')}>
      <div className={css.stack}>
        <TagsInput
          label={t('ips')}
          description={t('ipsWhy')}
          value={form.ips}
          error={faultOf('rules.allow_ips')}
          onChange={(ips) => set({ ips })}
        />
        <div className={css.fields}>
          <Amount
            label={t('maxOutput')}
            value={form.maxOutput}
            onChange={(maxOutput) => set({ maxOutput })}
          />
          <Amount
            label={t('maxBody')}
            unit="MiB"
            value={form.maxBodyMb}
            onChange={(maxBodyMb) => set({ maxBodyMb })}
          />
        </div>
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
        <Fault text={faultOf('rules', 'rules.map', 'rules.payload')} />
      </div>
    </FormRow>
  )
}
