import {
  Drawer,
  type MantineColorScheme,
  SegmentedControl,
  UnstyledButton,
  useMantineColorScheme,
} from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { LogOut, Search } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { signOut, useSession } from '@/api/session'
import { type Language, speak, useLanguage } from '@/i18n'
import css from './frame.module.css'
import { CATALOGUE, FOOT, MAIN } from './nav'

const SCHEMES: MantineColorScheme[] = ['light', 'dark', 'auto']
const PLACES = [...MAIN.slice(4), ...CATALOGUE, ...FOOT]

/** What has no place in the bar at the foot of a phone. */
export default function More({ close, onJump }: { close: () => void; onJump: () => void }) {
  const { t } = useTranslation('frame')
  const session = useSession()
  const language = useLanguage()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const jump = () => {
    close()
    onJump()
  }
  return (
    <Drawer
      opened
      onClose={close}
      position="bottom"
      size="auto"
      title={t('more')}
      classNames={{ content: css.moreSheet }}
    >
      <div className={css.more}>
        <UnstyledButton className={css.link} onClick={jump}>
          <Search size={18} aria-hidden />
          {t('jump')}
        </UnstyledButton>
        {PLACES.map(({ to, name, icon: Icon }) => (
          <Link key={to} to={to} className={css.link} onClick={close}>
            <Icon size={18} aria-hidden />
            {t(name)}
          </Link>
        ))}
        <hr />
        <SegmentedControl
          fullWidth
          aria-label={t('languageName')}
          value={language}
          onChange={(next) => speak(next as Language)}
          data={[
            { value: 'zh', label: t('chinese') },
            { value: 'en', label: t('english') },
          ]}
        />
        <SegmentedControl
          fullWidth
          aria-label={t('scheme')}
          value={colorScheme}
          onChange={(next) => setColorScheme(next as MantineColorScheme)}
          data={SCHEMES.map((value) => ({ value, label: t(value) }))}
        />
        <hr />
        <UnstyledButton className={css.link} onClick={signOut}>
          <LogOut size={18} aria-hidden />
          {t('signOutOf', { name: session?.username ?? '' })}
        </UnstyledButton>
      </div>
    </Drawer>
  )
}
