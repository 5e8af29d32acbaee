import { useTranslation } from 'react-i18next'
import css from '@/parts/parts.module.css'
import { useIsLive } from './live'

/** Beside a title: whether what one sees moves by itself. */
export function LiveDot() {
  const { t } = useTranslation('common')
  const isLive = useIsLive()
  return (
    <span className={css.live} data-lost={!isLive} role="status">
      <i aria-hidden />
      {isLive ? t('live') : t('livePaused')}
    </span>
  )
}
