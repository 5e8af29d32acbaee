import { useTranslation } from 'react-i18next'
import { count } from './format'
import { Facts } from './small'

/** Refused calls by reason, in words; a reason that is newer than this page goes by its code. */
export function Refusals({ refused }: { refused: Record<string, number> }) {
  const { t } = useTranslation('refusals')
  const lines = Object.entries(refused).sort(([, a], [, b]) => b - a)
  return (
    <Facts
      facts={lines.map(([reason, calls]) => [
        t(`reason.${reason}`, { defaultValue: reason }),
        count(calls),
      ])}
    />
  )
}
