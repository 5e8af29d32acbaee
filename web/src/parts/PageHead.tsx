import { ActionIcon, Menu } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { Link } from '@tanstack/react-router'
import { ChevronRight, Ellipsis } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/api/session'
import { OwnMark } from '@/frame/Mark'
import css from './parts.module.css'

interface Props {
  title: string
  /** Where it belongs: the list it is one of. */
  crumb?: { to: string; name: string }
  /** State and tags, beside the title. */
  beside?: ReactNode
  /** At most one secondary and one filled button. */
  children?: ReactNode
  /** `Menu.Item`s of all that is done less often. */
  menu?: ReactNode
}

/** The head of a page. */
export function PageHead({ title, crumb, beside, children, menu }: Props) {
  const { t } = useTranslation('common')
  const session = useSession()
  useDocumentTitle(`${title} · ${session?.title || 'Relay'}`)
  return (
    <header className={css.head}>
      {crumb ? (
        <nav className={css.crumb} aria-label={t('crumbs')}>
          <Link to={crumb.to}>{crumb.name}</Link>
          <ChevronRight size={14} aria-hidden />
          <span aria-current="page">{title}</span>
        </nav>
      ) : null}
      <span className={css.headMark}>
        <OwnMark />
      </span>
      <h1>{title}</h1>
      {beside}
      <div className={css.actions}>
        {children}
        {menu ? (
          <Menu position="bottom-end" width={220}>
            <Menu.Target>
              <ActionIcon variant="default" size={34} aria-label={t('more')}>
                <Ellipsis size={18} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>{menu}</Menu.Dropdown>
          </Menu>
        ) : null}
      </div>
    </header>
  )
}

/** A part of a page under a heading of its own. */
export function Section({
  title,
  beside,
  children,
}: {
  title: string
  beside?: ReactNode
  children: ReactNode
}) {
  return (
    <section className={css.section}>
      <div className={css.sectionHead}>
        <h2>{title}</h2>
        {beside}
      </div>
      {children}
    </section>
  )
}

/** The content, and what stands beside it where there is room. */
export const TwoColumns = ({ children, side }: { children: ReactNode; side: ReactNode }) => (
  <div className={css.two}>
    <div>{children}</div>
    <aside>{side}</aside>
  </div>
)
