import { CircleCheck, CircleDashed, CircleX, Clock, Pause, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import css from './parts.module.css'

export type StateKind = 'able' | 'resting' | 'failing' | 'paused' | 'spent' | 'idle'

const ICONS = {
  able: CircleCheck,
  resting: Clock,
  failing: TriangleAlert,
  paused: Pause,
  spent: CircleX,
  idle: CircleDashed,
}

/** A state: always an icon and a word, as no colour tells everybody the same. */
export function State({
  kind,
  children,
  more,
}: {
  kind: StateKind
  children: ReactNode
  more?: ReactNode
}) {
  const Icon = ICONS[kind]
  return (
    <div>
      <span className={css.state} data-kind={kind === 'spent' ? 'failing' : kind}>
        <Icon size={16} aria-hidden />
        {children}
      </span>
      {more ? <div className={css.stateMore}>{more}</div> : null}
    </div>
  )
}

export const Tag = ({ children }: { children: ReactNode }) => (
  <span className={css.tag}>{children}</span>
)
