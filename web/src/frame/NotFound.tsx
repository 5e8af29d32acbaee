import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { EmptyState } from '@/parts/States'

export function NotFound() {
  const { t } = useTranslation('frame')
  return (
    <main>
      <EmptyState title={t('notFound')} text={t('notFoundText')}>
        <Button component={Link} to="/">
          {t('dashboard')}
        </Button>
      </EmptyState>
    </main>
  )
}
