import { useTranslation } from 'react-i18next'
import { colour } from '@/theme/tokens'

const KEYS = [20, 75, 130, 185, 240, 295, 350, 405]
const ACCOUNTS = [45, 115, 185, 255, 325, 395]
const HUB = 220
const SERVED = 2
const RESTING = 1
const CHOSEN = 3

/** What a relay does: many keys, one address, many accounts. */
export function Picture() {
  const { t } = useTranslation('signin')
  return (
    <svg viewBox="-20 0 500 470" fill="none" aria-hidden="true">
      {KEYS.map((y, place) => (
        <g
          key={y}
          stroke={colour(place === SERVED ? 'accent' : 'line-strong')}
          strokeWidth={place === SERVED ? 2 : 1.2}
        >
          <path d={`M24 ${y}C120 ${y} 120 ${HUB} 200 ${HUB}`} />
          <circle cx="20" cy={y} r="4" fill={colour('side')} />
        </g>
      ))}
      {ACCOUNTS.map((y, place) => {
        const stroke =
          place === CHOSEN
            ? colour('accent')
            : place === RESTING
              ? colour('resting-bar')
              : colour('line-strong')
        return (
          <g key={y} stroke={stroke} strokeWidth={place === CHOSEN ? 2 : 1.2}>
            <path
              d={`M252 ${HUB}C340 ${HUB} 340 ${y} 425 ${y}`}
              strokeDasharray={place === RESTING ? '3 3' : undefined}
            />
            <rect x="425" y={y - 11} width="22" height="22" rx="6" fill={colour('bg')} />
            <circle cx="436" cy={y} r="1.6" fill={stroke} />
          </g>
        )
      })}
      <rect x="198" y={HUB - 27} width="54" height="54" rx="14" fill={colour('ink')} />
      <g
        transform={`translate(209 ${HUB - 16})`}
        stroke={colour('bg')}
        strokeWidth="2.4"
        strokeLinecap="round"
      >
        <path d="M7 9.5h2.5c3.4 0 5 6.5 9 6.5M7 22.5h2.5c3.4 0 5-6.5 9-6.5M7 16h5M22.6 16H26" />
        <circle cx="19.6" cy="16" r="2.9" fill={colour('ink')} />
      </g>
      <text x="20" y="450" textAnchor="middle" fontSize="12" fill={colour('ink-3')}>
        {t('keys')}
      </text>
      <text x="436" y="450" textAnchor="middle" fontSize="12" fill={colour('ink-3')}>
        {t('accounts')}
      </text>
    </svg>
  )
}
