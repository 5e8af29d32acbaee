import { ActionIcon } from '@mantine/core'
import { Languages } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { speak, useLanguage } from '@/i18n'

const SchemeMenu = lazy(() => import('./SchemeMenu'))

/** Chinese or English. */
export function LanguageSwitch() {
  const { t } = useTranslation('frame')
  const next = useLanguage() === 'zh' ? 'en' : 'zh'
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={t('language')}
      title={t('language')}
      onClick={() => speak(next)}
    >
      <Languages size={17} aria-hidden />
    </ActionIcon>
  )
}

/** Light or dark; what opens menus comes after the page. */
export const SchemeSwitch = () => (
  <Suspense fallback={<ActionIcon variant="subtle" color="gray" aria-hidden tabIndex={-1} />}>
    <SchemeMenu />
  </Suspense>
)
