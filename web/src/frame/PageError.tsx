import { Button } from '@mantine/core'
import type { ErrorComponentProps } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { ErrorState } from '@/parts/States'

/** In the place of a page that broke. */
export function PageError({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation('common')
  return (
    <ErrorState error={error}>
      <Button variant="default" onClick={reset}>
        {t('tryAgain')}
      </Button>
    </ErrorState>
  )
}
