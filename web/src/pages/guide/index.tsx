import { useTranslation } from 'react-i18next'
import { Guide } from '@/guide/Guide'
import { PageHead } from '@/parts/PageHead'

/** How clients are set up. */
export default function GuidePage() {
  const { t } = useTranslation('guide')
  return (
    <>
      <PageHead title={t('title')} />
      <p className="quiet">{t('text')}</p>
      <Guide />
    </>
  )
}
