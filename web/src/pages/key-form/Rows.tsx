import { Group, NumberInput, Select, TagsInput, Textarea, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { money } from '@/parts/format'
import { LineList } from '@/parts/Lines'
import css from '@/parts/parts.module.css'
import { FormRow } from '@/parts/small'
import { Amount, Fault } from './Fields'
import { type KeyForm, PERIODS } from './fields'
import type { RowsProps } from './props'
import { Accounts, Ends, MayUse, More } from './Rules'

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
