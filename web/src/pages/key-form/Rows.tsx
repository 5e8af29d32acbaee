import {
  Chip,
  Group,
  NumberInput,
  SegmentedControl,
  Select,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { KeySuggestions } from '@/api/types/keys'
import { money } from '@/parts/format'
import { LineList } from '@/parts/Lines'
import css from '@/parts/parts.module.css'
import { FormRow } from '@/parts/small'
import { type KeyForm, PERIODS, SERVICES, type Service } from './fields'

export interface RowsProps {
  form: KeyForm
  set: (change: Partial<KeyForm>) => void
  hints: KeySuggestions | undefined
  /** What is wrong with a field, by its name in the request. */
  faultOf: (...fields: string[]) => string | null
  /** What is changed of several keys has no name. */
  part?: 'one' | 'several' | 'bulk'
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Every field of a key. */
export function Rows(props: RowsProps) {
  return (
    <>
      {props.part === 'bulk' ? null : <ForWhom {...props} />}
      <Spending {...props} />
      <Pace {...props} />
      <MayUse {...props} />
      <Accounts {...props} />
      {props.part === 'bulk' ? null : <Ends {...props} />}
      <More {...props} />
    </>
  )
}

function ForWhom({ form, set, hints, faultOf, part }: RowsProps) {
  const { t } = useTranslation('keys')
  return (
    <FormRow label={t('row.whom')} why={t('row.whomWhy')}>
      <div className={css.fields}>
        <TextInput
          label={part === 'several' ? t('namesBegin') : t('name')}
          value={form.name}
          error={faultOf('name')}
          onChange={(event) => set({ name: event.currentTarget.value })}
          data-autofocus
        />
        {part === 'several' ? (
          <NumberInput
            label={t('howMany')}
            min={1}
            max={500}
            value={form.count}
            error={faultOf('count')}
            onChange={(count) => set({ count })}
          />
        ) : null}
        <TextInput
          label={t('owner')}
          list="owners"
          value={form.owner}
          onChange={(event) => set({ owner: event.currentTarget.value })}
        />
        <TagsInput
          label={t('tags')}
          data={hints?.tags ?? []}
          value={form.tags}
          onChange={(tags) => set({ tags })}
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
      <datalist id="owners">
        {(hints?.owners ?? []).map((owner) => (
          <option key={owner} value={owner} />
        ))}
      </datalist>
    </FormRow>
  )
}

interface AmountProps {
  label: string
  value: number | string
  onChange: (value: number | string) => void
  unit?: string
  dollars?: boolean
  error?: string | null
}

/** A number with its unit in the field; empty is no limit. */
function Amount({ label, value, onChange, unit, dollars, error }: AmountProps) {
  const { t } = useTranslation('keys')
  return (
    <NumberInput
      label={label}
      placeholder={t('noLimitPlace')}
      min={0}
      thousandSeparator
      decimalScale={dollars ? 4 : 0}
      hideControls
      leftSection={dollars ? '$' : undefined}
      rightSection={unit ? <span className={css.hint}>{unit}</span> : undefined}
      rightSectionWidth={unit ? 72 : undefined}
      value={value}
      error={error}
      onChange={onChange}
    />
  )
}

function Spending({ form, set, hints, faultOf }: RowsProps) {
  const { t } = useTranslation('keys')
  const tagged = hints?.typical.find((it) => it.tag && form.tags.includes(it.tag))
  const usual = tagged ?? hints?.typical.find((it) => !it.tag)
  const weekly = form.week !== '' || form.families.some((it) => it.period === 'week')
  return (
    <FormRow label={t('row.spending')} why={t('row.spendingWhy')}>
      <div className={css.stack}>
        <div className={css.fields}>
          {(['day', 'week', 'month', 'total'] as const).map((period) => (
            <Amount
              key={period}
              dollars
              label={t(`per.${period}`)}
              value={form[period]}
              error={faultOf(
                `limits.${{ day: 'daily', week: 'weekly', month: 'monthly', total: 'total' }[period]}_cost_usd`,
              )}
              onChange={(value) => set({ [period]: value })}
            />
          ))}
        </div>
        {usual ? (
          <div className={css.hint}>
            {usual.tag
              ? t('usualTagged', { tag: usual.tag, usd: money(usual.daily_usd) })
              : t('usual', { usd: money(usual.daily_usd) })}
          </div>
        ) : null}
        <LineList
          lines={form.families}
          set={(families) => set({ families })}
          fresh={{ family: '', usd: '' as number | string, period: 'week' }}
          add={t('addFamily')}
        >
          {(one, put) => (
            <>
              <TextInput
                label={t('family')}
                list="families"
                value={one.family}
                onChange={(event) => put({ family: event.currentTarget.value })}
              />
              <Amount
                dollars
                label={t('budget')}
                value={one.usd}
                onChange={(usd) => put({ usd })}
              />
              <Select
                label={t('perWhat')}
                allowDeselect={false}
                value={one.period}
                onChange={(period) => put({ period: period ?? 'week' })}
                data={PERIODS.map((value) => ({ value, label: t(`period.${value}`) }))}
              />
            </>
          )}
        </LineList>
        <datalist id="families">
          {(hints?.families ?? []).map((family) => (
            <option key={family} value={family} />
          ))}
        </datalist>
        <Fault text={faultOf('limits.family_budgets', 'limits')} />
        {weekly ? (
          <Group gap={8} align="flex-end">
            <Select
              label={t('weekBegins')}
              w={140}
              allowDeselect={false}
              value={form.weekDay}
              onChange={(weekDay) => set({ weekDay: weekDay ?? 'mon' })}
              data={DAYS.map((value) => ({ value, label: t(`weekday.${value}`) }))}
            />
            <TextInput
              aria-label={t('weekHour')}
              type="time"
              step={900}
              w={110}
              value={form.weekHour}
              error={faultOf('limits.weekly_reset')}
              onChange={(event) => set({ weekHour: event.currentTarget.value || '00:00' })}
            />
          </Group>
        ) : null}
      </div>
    </FormRow>
  )
}

function Pace({ form, set, faultOf }: RowsProps) {
  const { t } = useTranslation('keys')
  return (
    <FormRow label={t('row.pace')} why={t('row.paceWhy')}>
      <div className={css.stack}>
        <div className={css.fields}>
          <Amount
            label={t('requests')}
            unit={t('unit.calls')}
            value={form.requests}
            onChange={(requests) => set({ requests })}
          />
          <Amount label={t('tokens')} value={form.tokens} onChange={(tokens) => set({ tokens })} />
          <Amount dollars label={t('cost')} value={form.cost} onChange={(cost) => set({ cost })} />
          <Group gap={8} align="flex-end" wrap="nowrap">
            <NumberInput
              label={t('within')}
              min={1}
              hideControls
              value={form.windowAmount}
              error={faultOf('limits.window_seconds')}
              onChange={(windowAmount) => set({ windowAmount })}
            />
            <Select
              aria-label={t('windowUnit')}
              allowDeselect={false}
              value={form.windowUnit}
              onChange={(unit) => set({ windowUnit: (unit ?? 'hours') as KeyForm['windowUnit'] })}
              data={['minutes', 'hours', 'days'].map((value) => ({
                value,
                label: t(`unit.${value}`),
              }))}
            />
          </Group>
        </div>
        <div className={css.hint}>{t('windowWhy')}</div>
        <div className={css.fields}>
          <Amount
            label={t('concurrency')}
            unit={t('unit.calls')}
            value={form.concurrency}
            onChange={(concurrency) => set({ concurrency })}
          />
          <NumberInput
            label={t('queueLength')}
            placeholder={t('queueUsual')}
            min={0}
            hideControls
            value={form.queueLength}
            error={faultOf('limits.queue')}
            onChange={(queueLength) => set({ queueLength })}
          />
          <NumberInput
            label={t('queueWait')}
            placeholder="10"
            suffix={` ${t('unit.seconds')}`}
            min={1}
            hideControls
            value={form.queueSeconds}
            onChange={(queueSeconds) => set({ queueSeconds })}
          />
        </div>
      </div>
    </FormRow>
  )
}

function MayUse({ form, set, hints, faultOf }: RowsProps) {
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

function Accounts({ form, set, hints, faultOf }: RowsProps) {
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

function Ends({ form, set, faultOf }: RowsProps) {
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

function More({ form, set, faultOf }: RowsProps) {
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

interface ChipsProps {
  label: string
  data: { value: string; label: string }[]
  value: string[]
  onChange: (value: string[]) => void
}

/** A few of a few. */
const Chips = ({ label, data, value, onChange }: ChipsProps) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in a row
  <div role="group" aria-label={label}>
    <div className={css.hint}>{label}</div>
    <Chip.Group multiple value={value} onChange={onChange}>
      <Group gap={8}>
        {data.map((one) => (
          <Chip key={one.value} value={one.value} radius={8}>
            {one.label}
          </Chip>
        ))}
      </Group>
    </Chip.Group>
  </div>
)

const Fault = ({ text }: { text: string | null }): ReactNode =>
  text ? (
    <div role="alert" style={{ color: 'var(--crs-failing)', fontSize: 12 }}>
      {text}
    </div>
  ) : null
