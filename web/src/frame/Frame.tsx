import { UnstyledButton } from '@mantine/core'
import { useHotkeys } from '@mantine/hooks'
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router'
import { Menu as MenuIcon, Search, TriangleAlert } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/api/session'
import { LiveProvider, useLive } from '@/live/live'
import css from './frame.module.css'
import { OwnMark } from './Mark'
import { CATALOGUE, FOOT, MAIN, type Place } from './nav'
import { PageWaits } from './PageWaits'
import { LanguageSwitch, SchemeSwitch } from './Switches'

const Later = lazy(() => import('./Later'))
const PersonMenu = lazy(() => import('./PersonMenu'))
const More = lazy(() => import('./More'))

/** The page around every page: where one is, where one can go, and who one is. */
export function Frame() {
  const session = useSession()
  const navigate = useNavigate()
  const signedOut = session === null
  useEffect(() => {
    if (!signedOut) return
    const to = location.pathname.replace(/^\/web/, '') + location.search
    navigate({ to: '/sign-in', search: { to } })
  }, [signedOut, navigate])
  if (!session) return null
  return (
    <LiveProvider>
      <Inside />
    </LiveProvider>
  )
}

function Inside() {
  const { t } = useTranslation('frame')
  const session = useSession()
  const [jumps, setJumps] = useState(false)
  const [more, setMore] = useState(false)
  useHotkeys([['mod + K', () => setJumps(true)]], [])
  return (
    <div className={css.frame}>
      <a className="skip" href="#main">
        {t('skip')}
      </a>
      <Side onJump={() => setJumps(true)} />
      <main id="main" className={css.main} tabIndex={-1}>
        {session?.notice ? <div className={css.notice}>{session.notice}</div> : null}
        <Suspense fallback={<PageWaits />}>
          <Outlet />
        </Suspense>
      </main>
      <BottomBar onMore={() => setMore(true)} />
      <Suspense fallback={null}>
        <Later jumps={jumps} onJumped={() => setJumps(false)} />
        {more ? <More close={() => setMore(false)} onJump={() => setJumps(true)} /> : null}
      </Suspense>
    </div>
  )
}

const useHere = () => {
  const { pathname } = useLocation()
  const path = pathname.replace(/^\/web(?=\/|$)/, '') || '/'
  return (to: string) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`))
}

function Side({ onJump }: { onJump: () => void }) {
  const { t } = useTranslation('frame')
  const session = useSession()
  return (
    <nav className={css.side} aria-label={t('menu')}>
      <Link to="/" className={css.brand} aria-label={session?.title || t('title')}>
        <OwnMark />
        <span className={css.wide}>{session?.title || t('title')}</span>
      </Link>
      <UnstyledButton className={css.jump} onClick={onJump} aria-label={t('jump')}>
        <Search size={15} aria-hidden />
        <span className={css.wide}>{t('jump')}</span>
        <kbd className={css.wide}>Ctrl K</kbd>
      </UnstyledButton>
      <Places places={MAIN} />
      <div className={`${css.section} ${css.wide}`}>{t('catalogue')}</div>
      <hr className={css.narrow} />
      <Places places={CATALOGUE} />
      <div className={css.foot}>
        <Places places={FOOT} />
      </div>
      <Who />
    </nav>
  )
}

function Places({ places }: { places: Place[] }) {
  const { t } = useTranslation('frame')
  const isHere = useHere()
  const failing = useLive()?.accounts.failing ?? 0
  return places.map(({ to, name, icon: Icon }) => (
    <Link
      key={to}
      to={to}
      className={css.link}
      title={t(name)}
      data-here={isHere(to)}
      aria-current={isHere(to) ? 'page' : undefined}
    >
      <Icon size={17} aria-hidden />
      <span className={css.name}>{t(name)}</span>
      {to === '/accounts' && failing > 0 ? (
        <span className={css.needs}>
          <TriangleAlert size={14} aria-hidden />
          <span aria-hidden>{failing}</span>
          <span className="unseen">{t('needsYou', { count: failing })}</span>
        </span>
      ) : null}
    </Link>
  ))
}

function Who() {
  const session = useSession()
  if (!session) return null
  return (
    <div className={css.who}>
      <Suspense fallback={<div className={css.person} />}>
        <PersonMenu session={session} />
      </Suspense>
      <LanguageSwitch />
      <SchemeSwitch />
    </div>
  )
}

const TABS = 4

function BottomBar({ onMore }: { onMore: () => void }) {
  const { t } = useTranslation('frame')
  const isHere = useHere()
  const failing = useLive()?.accounts.failing ?? 0
  const tabs = MAIN.slice(0, TABS)
  const elsewhere = !tabs.some(({ to }) => isHere(to))
  return (
    <nav className={css.bottom} aria-label={t('menu')}>
      {tabs.map(({ to, name, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          className={css.tab}
          data-here={isHere(to)}
          aria-current={isHere(to) ? 'page' : undefined}
        >
          <span className={css.tabIcon}>
            <Icon size={22} strokeWidth={1.75} aria-hidden />
            {to === '/accounts' && failing > 0 ? (
              <span className={css.tabNeeds}>
                <span aria-hidden>{failing}</span>
                <span className="unseen">{t('needsYou', { count: failing })}</span>
              </span>
            ) : null}
          </span>
          {t(name)}
        </Link>
      ))}
      <UnstyledButton
        className={css.tab}
        data-here={elsewhere}
        onClick={onMore}
        aria-haspopup="dialog"
      >
        <MenuIcon size={22} strokeWidth={1.75} aria-hidden />
        {t('more')}
      </UnstyledButton>
    </nav>
  )
}
