import { Skeleton } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useRead } from '@/api/queries'
import type { CallDetail } from '@/api/types/usage'
import { AttemptBars } from '@/charts/bars'
import { count, duration, exactMoment, money } from '@/parts/format'
import { Section } from '@/parts/PageHead'
import { Sheet } from '@/parts/Sheet'
import { ErrorState } from '@/parts/States'
import { CopyIcon, Facts, When } from '@/parts/small'
import { Ended, modelOf } from './words'

interface Props {
  id: string | null
  close: () => void
  onPrevious?: () => void
  onNext?: () => void
}

/** All that is known of a call, beside the list. */
export function Detail({ id, close, onPrevious, onNext }: Props) {
  const { t } = useTranslation('calls')
  const read = useRead<CallDetail>('call', `/admin/calls/${id}`, {}, id !== null)
  const call = read.data?.id === id ? read.data : undefined
  return (
    <Sheet
      opened={id !== null}
      close={close}
      over={
        <>
          <code>{id?.slice(0, 18)}…</code>
          {id ? <CopyIcon text={id} label={t('copyId')} /> : null}
        </>
      }
      title={call ? modelOf(call) : t('call')}
      {...(onPrevious ? { onPrevious } : {})}
      {...(onNext ? { onNext } : {})}
    >
      {call ? (
        <Known call={call} />
      ) : read.error ? (
        <ErrorState error={read.error} retry={read.refetch} />
      ) : (
        <Skeleton height={400} aria-busy="true" />
      )}
    </Sheet>
  )
}

/** Whether an attempt answered, was put off, or failed. */
const kindOf = (one: CallDetail['attempts_list'][number]) =>
  one.fault ? (one.status === 429 || one.status === 529 ? 'resting' : 'failing') : 'able'

function Known({ call }: { call: CallDetail }) {
  const { t } = useTranslation('calls')
  const begun = Date.parse(call.at)
  const tokens: [string, ReactNode][] = [
    [t('input'), count(call.input)],
    [t('cacheRead'), count(call.cache_read)],
    [t('cacheWrite5m'), count(call.cache_write_5m)],
    [t('cacheWrite1h'), count(call.cache_write_1h)],
    [t('output'), count(call.output)],
  ]
  if (call.web_searches) tokens.push([t('webSearches'), count(call.web_searches)])
  const facts: [string, ReactNode][] = [
    [
      t('key'),
      <Link key="key" to="/keys/$key" params={{ key: call.key.id }}>
        {call.key.name}
      </Link>,
    ],
    [
      t('account'),
      <Link key="account" to="/accounts/$account" params={{ account: call.account.id }}>
        {call.account.name}
      </Link>,
    ],
    [t('came'), exactMoment(call.at)],
    [t('firstByte'), call.first_byte_ms == null ? t('none') : duration(call.first_byte_ms)],
    [t('took'), duration(call.total_ms)],
    [t('status'), String(call.status)],
    [t('client'), call.client || t('unknown')],
    [t('path'), <code key="path">{call.path}</code>],
    [t('asked'), call.model_asked],
    [t('streamed'), call.streamed ? t('yes') : t('no')],
  ]
  if (call.session)
    facts.push([t('session'), <code key="session">{call.session.slice(0, 12)}…</code>])
  if (call.service_tier) facts.push([t('tier'), call.service_tier])
  if (call.window_from) facts.push([t('window'), <When key="window" at={call.window_from} />])
  return (
    <>
      <Ended call={call} />
      <Section title={t('attempts')}>
        <AttemptBars
          total={call.total_ms}
          attempts={call.attempts_list.map((one, place) => {
            const after = Date.parse(one.at) - begun
            const waited = call.first_byte_ms == null ? one.millis : call.first_byte_ms - after
            return {
              id: String(place),
              name: one.account.name,
              said: one.fault ? (one.status ?? '') : t('answered'),
              more: [one.words, one.maybe_billed ? t('maybeBilled') : null]
                .filter(Boolean)
                .join(' · '),
              after,
              millis: one.millis,
              waited: Math.max(0, Math.min(waited, one.millis)),
              kind: kindOf(one),
            }
          })}
        />
      </Section>
      <Section title={t('tokensTitle')} beside={<b>{money(call.cost_usd)}</b>}>
        <Facts facts={tokens} />
        <p className="quiet">
          {t(`price.${call.price_source}`)} {call.exactness === 'exact' ? '' : t('estimatedText')}
        </p>
      </Section>
      <Section title={t('facts')}>
        <Facts facts={facts} />
      </Section>
      <p className="quiet">{t('nothingKept')}</p>
    </>
  )
}
