import { Menu, UnstyledButton } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { LogOut, ShieldCheck } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { type Session, signOut } from '@/api/session'
import css from './frame.module.css'

/** Who is signed in, and the way out. */
export default function PersonMenu({ session }: { session: Session }) {
  const { t } = useTranslation('frame')
  return (
    <Menu position="top-start" width={220}>
      <Menu.Target>
        <UnstyledButton
          className={css.person}
          aria-label={t('signedInAs', { name: session.username })}
        >
          <span className={css.letter} aria-hidden>
            {session.username.slice(0, 1).toUpperCase()}
          </span>
          <span className={css.wide}>
            <span className={css.personName}>{session.username}</span>
            <span className={css.role}>{t(`role.${session.role}`)}</span>
          </span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          component={Link}
          to="/settings/sign-in"
          leftSection={<ShieldCheck size={16} aria-hidden />}
        >
          {t('ownSignIn')}
        </Menu.Item>
        <Menu.Item leftSection={<LogOut size={16} aria-hidden />} onClick={signOut}>
          {t('signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
