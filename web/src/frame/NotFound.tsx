import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { PageHead } from '@/parts/PageHead'

/** In the place of a page that does not exist. */
export default function NotFound() {
  const { t } = useTranslation('frame')
  return (
    <>
      <PageHead title={t('notFound')} />
      <p className="quiet">{t('notFoundText')}</p>
      <Button component={Link} to="/">
        {t('dashboard')}
      </Button>
    </>
  )
}
