import { useSession } from '@/api/session'
import css from './frame.module.css'

/** The sign of the relay: what its owner chose, else its own, drawn for light and dark. */
export function Mark({ logo, size = 26 }: { logo?: string; size?: number }) {
  if (logo) return <img className={css.mark} src={logo} alt="" width={size} height={size} />
  return (
    <svg className={css.mark} viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--crs-ink)" />
      <g fill="none" stroke="var(--crs-bg)" strokeWidth="2.4" strokeLinecap="round">
        <path d="M7 9.5h2.5c3.4 0 5 6.5 9 6.5M7 22.5h2.5c3.4 0 5-6.5 9-6.5M7 16h5" />
        <path d="M22.6 16H26" />
        <circle cx="19.6" cy="16" r="2.9" fill="var(--crs-ink)" />
      </g>
    </svg>
  )
}

/** The sign of the relay that one is signed in to. */
export const OwnMark = ({ size }: { size?: number }) => (
  <Mark logo={useSession()?.logo} size={size} />
)
