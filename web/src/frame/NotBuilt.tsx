import { Code } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { PageHead } from '@/parts/PageHead'

/** In the place of a page that a later version brings: what it is, and how to do it meanwhile. */
export function NotBuilt({ name, command }: { name: string; command: string }) {
  const { t } = useTranslation('frame')
  return (
    <>
      <PageHead title={t(name)} />
      <p className="quiet">{t('notBuilt')}</p>
      <Code>{command}</Code>
    </>
  )
}
