import { EyeOff } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/api/session'
import type { KeySuggestions } from '@/api/types/keys'
import { language } from '@/i18n'
import { count, money, span } from '@/parts/format'
import css from '@/parts/parts.module.css'
import { bodyOf, type KeyForm } from './fields'

const all = (items: string[]) =>
  new Intl.ListFormat(language() === 'zh' ? 'zh-CN' : 'en', { type: 'conjunction' }).format(items)

interface Props {
  form: KeyForm
  hints: KeySuggestions | undefined
  /** Whether it is to be given out. */
  isNew: boolean
}

/** What will come of a form, in words. */
export function Outcome({ form, hints, isNew }: Props) {
  const { t } = useTranslation('keys')
  const zone = useSession()?.zone ?? 'UTC'
  const { limits, rules, bindings } = bodyOf(form)
  const clientName = (id: string) => hints?.clients.find((it) => it.id === id)?.name ?? id
  const name = form.name.trim() || t('say.aKey')
  const services = rules.services ?? []
  const uses = services.length
    ? all(services.map((it) => t(`service.${it}`)))
    : t('say.allServices')
  const clients = rules.clients ? all(rules.clients.map(clientName)) : t('say.anyClient')
  const models = rules.allow_models
    ? t('say.onlyModels', { models: all(rules.allow_models) })
    : rules.deny_models
      ? t('say.allModelsBut', { models: all(rules.deny_models) })
      : t('say.allModels')
  const spends = (
    [
      ['day', limits.daily_cost_usd],
      ['week', limits.weekly_cost_usd],
      ['month', limits.monthly_cost_usd],
      ['total', limits.total_cost_usd],
    ] as const
  )
    .filter(([, usd]) => usd !== null)
    .map(([period, usd]) => t(`say.per.${period}`, { usd: money(usd ?? 0) }))
  const families = limits.family_budgets.map((it) =>
    t('say.family', {
      family: it.family,
      budget: t(`say.per.${it.period}`, { usd: money(it.usd) }),
    }),
  )
  const inWindow = [
    limits.requests === null
      ? null
      : t('say.calls', { count: limits.requests, said: count(limits.requests) }),
    limits.tokens === null ? null : t('say.tokens', { said: count(limits.tokens) }),
    limits.cost_usd === null ? null : money(limits.cost_usd),
  ].filter((it) => it !== null)
  const bound = Object.entries(bindings).filter(([, target]) => target !== null)
  const lines = [
    t('say.may', { name, uses, clients, models }),
    spends.length || families.length
      ? t('say.spends', { budgets: all([...spends, ...families]) })
      : t('say.spendsFreely'),
    inWindow.length && limits.window_seconds
      ? t('say.inWindow', { what: all(inWindow), span: span(limits.window_seconds) })
      : '',
    limits.concurrency ? t('say.atOnce', { count: limits.concurrency }) : '',
    bound.length
      ? t('say.bound', {
          where: all(bound.map(([service, target]) => `${t(`service.${service}`)}: ${target}`)),
        })
      : '',
    form.ends === 'date' && form.endDate
      ? t('say.endsOn', { day: form.endDate })
      : form.ends === 'first' && Number(form.lastsDays)
        ? t('say.endsAfter', { count: Number(form.lastsDays) })
        : t('say.endless'),
  ]
  const refusal = refusalOf(form)
  return (
    <div className={css.outcome}>
      <h2>{t('inWords')}</h2>
      <p>{lines.filter(Boolean).join(' ')}</p>
      {refusal ? (
        <>
          <h2>{t('refusedTitle')}</h2>
          <pre className={css.refusal}>
            <b>{refusal.status}</b>{' '}
            {t(`refused.${refusal.what}`, { usd: money(refusal.usd), zone })}
          </pre>
        </>
      ) : null}
      {isNew ? (
        <p className={css.once}>
          <EyeOff size={16} aria-hidden />
          {t('shownOnceHint')}
        </p>
      ) : null}
    </div>
  )
}

/** What a caller reads once the first limit of the form is used up. */
function refusalOf(form: KeyForm): { status: number; what: string; usd: number } | null {
  const { limits, rules } = bodyOf(form)
  if (limits.daily_cost_usd) return { status: 429, what: 'day', usd: limits.daily_cost_usd }
  if (limits.weekly_cost_usd) return { status: 429, what: 'week', usd: limits.weekly_cost_usd }
  if (limits.monthly_cost_usd) return { status: 429, what: 'month', usd: limits.monthly_cost_usd }
  if (limits.total_cost_usd) return { status: 429, what: 'total', usd: limits.total_cost_usd }
  if (limits.requests) return { status: 429, what: 'requests', usd: 0 }
  if (rules.clients) return { status: 403, what: 'client', usd: 0 }
  return null
}
