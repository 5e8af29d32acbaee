import { SegmentedControl, Skeleton } from '@mantine/core'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { KeyStanding } from '@/api/types/keys'
import type { Holder } from '@/api/types/stats'
import type { Bucket } from '@/charts/StackedBars'
import {
  ago,
  count,
  day,
  hour,
  longDay,
  moment,
  money,
  percent,
  short,
  shortMoney,
} from '@/parts/format'
import { Gauge, levelOf } from '@/parts/Gauge'
import { Section } from '@/parts/PageHead'
import { Refusals } from '@/parts/Refusals'
import { State } from '@/parts/State'
import { Facts } from '@/parts/small'
import { amount, used, useLimitName, useStandingWords } from '../keys/parts'
import css from './stats.module.css'

const StackedBars = lazy(() =>
  import('@/charts/StackedBars').then((module) => ({ default: module.StackedBars })),
)

/** One key, for who holds it. */
export function HeldKey({ held }: { held: Holder }) {
  const { t } = useTranslation('stats')
  const refused = Object.keys(held.refused_24h).length > 0
  return (
    <>
      <h1 className={css.name}>{held.name}</h1>
      <Standing held={held} />
      <Limits held={held} />
      <Use held={held} />
      {refused ? (
        <Section title={t('refused')}>
          <Refusals refused={held.refused_24h} />
        </Section>
      ) : null}
      <MayUse held={held} />
    </>
  )
}

/** Whether it may call, in words. */
function Standing({ held }: { held: Holder }) {
  const { t } = useTranslation('stats')
  const ends = held.expires_at
  if (held.state === 'disabled') return <State kind="paused">{t('state.disabled')}</State>
  if (held.state === 'expired')
    return <State kind="failing">{t('state.expired', { when: ends ? moment(ends) : '' })}</State>
  const full = held.standings.find((it) => it.limit !== 'concurrency' && it.used >= it.max)
  if (held.state === 'spent')
    return (
      <State kind="spent">
        {full?.resets_at
          ? t('state.spentUntil', { when: moment(full.resets_at), in: ago(full.resets_at) })
          : t('state.spent')}
      </State>
    )
  return (
    <State kind="able">
      {ends ? t('state.activeUntil', { when: moment(ends) }) : t('state.active')}
    </State>
  )
}

/** What can be spent first, large; then every other limit. */
function Limits({ held }: { held: Holder }) {
  const { t } = useTranslation('stats')
  const nameOf = useLimitName()
  const say = useStandingWords()
  const money_ = held.standings.filter((it) => it.unit === 'usd' && !it.limit.includes('/'))
  const hero = money_.reduce<KeyStanding | undefined>(
    (least, one) => (least && least.left <= one.left ? least : one),
    undefined,
  )
  const others = held.standings.filter((it) => it !== hero)
  const windowSeconds = held.limits.window?.seconds
  return (
    <>
      {hero ? (
        <div className={css.hero} data-level={levelOf(used(hero))}>
          <div className="quiet">{t('left', { limit: nameOf(hero.limit, windowSeconds) })}</div>
          <div className={css.figure}>
            <b>{money(hero.left)}</b>
            <span className="quiet">{t('of', { max: money(hero.max) })}</span>
          </div>
          <Gauge label={nameOf(hero.limit, windowSeconds)} percent={used(hero)} />
          {hero.resets_at ? (
            <div className="quiet">
              {t('again', { when: moment(hero.resets_at), in: ago(hero.resets_at) })}
            </div>
          ) : null}
        </div>
      ) : (
        <div className={css.hero}>
          <div className="quiet">{t('today')}</div>
          <div className={css.figure}>
            <b>{money(held.today.cost_usd)}</b>
            <span className="quiet">
              {t('calls', { count: held.today.calls, said: count(held.today.calls) })}
            </span>
          </div>
        </div>
      )}
      {others.length ? (
        <div className={css.limits}>
          {others.map((one) => (
            <div key={one.limit}>
              <div className="quiet">{nameOf(one.limit, windowSeconds)}</div>
              <Gauge
                label={nameOf(one.limit, windowSeconds)}
                percent={used(one)}
                text={say(one)}
                beside={one.resets_at ? ago(one.resets_at) : null}
              />
            </div>
          ))}
        </div>
      ) : null}
    </>
  )
}

const RANGES = ['24h', '7d', '28d'] as const
const MEASURES = ['cost', 'calls', 'tokens'] as const

/** What it used over time. */
function Use({ held }: { held: Holder }) {
  const { t } = useTranslation('stats')
  const [range, setRange] = useState<(typeof RANGES)[number]>('28d')
  const [measure, setMeasure] = useState<(typeof MEASURES)[number]>('cost')
  const byHour = range === '24h'
  const rows: ({ at: string } & Holder['today'])[] = byHour
    ? held.hours.map((it) => ({ ...it, at: it.from }))
    : held.days.slice(range === '7d' ? -7 : -28).map((it) => ({ ...it, at: `${it.day}T12:00:00Z` }))
  const value = (one: Holder['today']) =>
    measure === 'cost' ? one.cost_usd : measure === 'calls' ? one.calls : one.tokens
  const total = rows.reduce((sum, one) => sum + value(one), 0)
  const say = measure === 'cost' ? money : measure === 'calls' ? count : short
  const stack = {
    buckets: rows.map((one, place) => ({
      from: one.at,
      to: one.at,
      partial: place === rows.length - 1,
    })),
    series: [{ id: measure, name: t(`measure.${measure}`), values: rows.map(value), total }],
    before: null,
  }
  const zone = byHour ? undefined : 'UTC'
  const spent = held.models.reduce((sum, one) => sum + one.cost_usd, 0)
  return (
    <>
      <div className={css.chartHead}>
        <div>
          <b>{say(total)}</b>
          <div className="quiet">{t(`measure.${measure}`)}</div>
        </div>
        <SegmentedControl
          size="xs"
          aria-label={t('measureLabel')}
          value={measure}
          onChange={(next) => setMeasure(next as typeof measure)}
          data={MEASURES.map((it) => ({ value: it, label: t(`measure.${it}`) }))}
        />
        <SegmentedControl
          size="xs"
          aria-label={t('common:range.label')}
          value={range}
          onChange={(next) => setRange(next as typeof range)}
          data={RANGES.map((it) => ({ value: it, label: t(`common:range.${it}`) }))}
        />
      </div>
      <Suspense fallback={<Skeleton height={250} />}>
        <StackedBars
          stack={stack}
          say={say}
          axis={measure === 'cost' ? shortMoney : short}
          when={(bucket: Bucket) =>
            byHour ? `${longDay(bucket.from)} ${hour(bucket.from)}` : longDay(bucket.from, zone)
          }
          tick={(bucket: Bucket) => (byHour ? hour(bucket.from) : day(bucket.from, zone))}
          label={t(`measure.${measure}`)}
          height={200}
        />
      </Suspense>
      {held.models.length ? (
        <Section title={t('models')}>
          <ul className={css.models}>
            {held.models.map((one) => (
              <li key={one.model}>
                <span>{one.model}</span>
                <b>{money(one.cost_usd)}</b>
                <span className="quiet">
                  {percent(spent ? (one.cost_usd / spent) * 100 : 0, 0)}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      ) : null}
    </>
  )
}

function MayUse({ held }: { held: Holder }) {
  const { t } = useTranslation('stats')
  const { rules } = held
  const list = (items: string[]) => (items.length ? items.join(', ') : t('all'))
  const facts: [string, string][] = [
    [t('mayModels'), list(rules.allowed_models)],
    [t('mayClients'), list(rules.clients)],
    [t('usedInAll'), `${money(held.used.cost_usd)} · ${amount('tokens', held.used.tokens)}`],
    [t('zone'), held.zone],
  ]
  if (rules.denied_models.length) facts.splice(1, 0, [t('notModels'), list(rules.denied_models)])
  return (
    <Section title={t('about')}>
      <Facts facts={facts} />
    </Section>
  )
}
