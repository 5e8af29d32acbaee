import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, NO_ANSWER } from '@/api/client'
import css from './parts.module.css'

interface Empty {
  title: string
  text?: string
  children?: ReactNode
}

/** In the place of what there is nothing of; says what to do. */
export const EmptyState = ({ title, text, children }: Empty) => (
  <div className={css.empty}>
    <h2>{title}</h2>
    {text ? <p className="quiet">{text}</p> : null}
    {children}
  </div>
)

/** What went wrong, in words. */
export function useProblem() {
  const { t } = useTranslation('common')
  return (error: unknown): string => {
    if (error instanceof ApiError && error.code === NO_ANSWER) return t('noAnswer')
    if (error instanceof ApiError && error.message) return error.message
    return t('broke')
  }
}

/** In the place of what could not be read. */
export function ErrorState({
  error,
  retry,
  children,
}: {
  error: unknown
  retry?: () => void
  children?: ReactNode
}) {
  const { t } = useTranslation('common')
  const problem = useProblem()
  return (
    <div className={css.empty} role="alert">
      <h2>{problem(error)}</h2>
      {retry ? (
        <Button variant="default" onClick={retry}>
          {t('tryAgain')}
        </Button>
      ) : null}
      {children}
    </div>
  )
}
