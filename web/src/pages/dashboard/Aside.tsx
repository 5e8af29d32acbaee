import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Dashboard } from '@/api/types/usage'
import { MinuteBars } from '@/charts/bars'
import { useLive } from '@/live/live'
import { count, short } from '@/parts/format'
import { Section } from '@/parts/PageHead'
import { Refusals } from '@/parts/Refusals'
import { State, type StateKind } from '@/parts/State'
import { When } from '@/parts/small'
import css from './dashboard.module.css'

const STATES: StateKind[] = ['able', 'resting', 'failing', 'paused']

/** What is so now, whatever time is looked at. */
export function Aside({ board }: { board: Dashboard }) {
  const { t } = useTranslation('dashboard')
  const accounts = useLive()?.accounts ?? board.accounts
  const states = STATES as (keyof typeof accounts)[]
  const all = states.reduce((sum, state) => sum + accounts[state], 0)
  const refused = Object.keys(board.refused)
  return (
    <>
      <Now />
      <Section
        title={t('accounts', { count: all })}
        beside={<Link to="/accounts">{t('open')}</Link>}
      >
        <div className={css.states} aria-hidden>
          {states.map((state) =>
            accounts[state] ? (
              <i key={state} data-state={state} style={{ flex: accounts[state] }} />
            ) : null,
          )}
        </div>
        <ul className={css.lines}>
          {states.map((state) => (
            <li key={state}>
              <State kind={state}>{t(`state.${state}`)}</State>
              <b>{count(accounts[state])}</b>
            </li>
          ))}
        </ul>
      </Section>
      <Section
        title={t('faults')}
        beside={
          <Link to="/calls" search={{ status: 'retried' } as never}>
            {t('all')}
          </Link>
        }
      >
        {board.recent_faults.length === 0 ? <p className="quiet">{t('noFaults')}</p> : null}
        <ul className={css.faults}>
          {board.recent_faults.map((one) => (
            <li key={one.call + one.at}>
              <When at={one.at} />
              <div>
                <Link to="/calls" search={{ call: one.call } as never}>
                  {one.account.name}
                </Link>
                <div className="quiet">
                  {[one.status, one.words, one.answered ? t('answeredElsewhere') : null]
                    .filter(Boolean)
                    .join(' · ')}
                </div>
              </div>
            </li>
          ))}
        </ul>
      </Section>
      {refused.length ? (
        <Section title={t('refused')}>
          <Refusals refused={board.refused} />
        </Section>
      ) : null}
    </>
  )
}

function Now() {
  const { t } = useTranslation('dashboard')
  const live = useLive()
  if (!live) return null
  const last = (values: number[]) => values.at(-2) ?? 0
  return (
    <Section title={t('now')}>
      <div className={css.now}>
        <div>
          <b>{count(live.calls_open)}</b>
          <div className="quiet">{t('inFlight')}</div>
        </div>
        <div>
          <b>{count(last(live.calls_per_minute))}</b>
          <div className="quiet">{t('perMinute')}</div>
        </div>
        <div>
          <b>{short(last(live.tokens_per_minute))}</b>
          <div className="quiet">{t('tokensPerMinute')}</div>
        </div>
      </div>
      <MinuteBars values={live.calls_per_minute} label={t('minutes')} />
    </Section>
  )
}
