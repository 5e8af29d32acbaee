import { ActionIcon, Button, CopyButton as MantineCopy, Tooltip } from '@mantine/core'
import { Check, Copy } from 'lucide-react'
import { Fragment, type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ago, count, exactMoment, moment, money, short } from './format'
import css from './parts.module.css'

/** A moment; all of it on hover. */
export const When = ({ at }: { at: string | null | undefined }) =>
  at ? (
    <time dateTime={at} title={exactMoment(at)}>
      {moment(at)}
    </time>
  ) : null

/** How long ago, kept true while it is shown. */
export function Ago({ at, never }: { at: string | null | undefined; never?: string }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000)
    return () => clearInterval(timer)
  }, [])
  if (!at) return <span className="quiet">{never}</span>
  return (
    <time dateTime={at} title={exactMoment(at)}>
      {ago(at, now)}
    </time>
  )
}

/** A large number made readable; the exact one on hover. */
export const Num = ({ value }: { value: number }) => (
  <span title={count(value)}>{short(value)}</span>
)

/** An amount; the exact one on hover. */
export const Money = ({ usd }: { usd: number }) => <span title={`$${usd}`}>{money(usd)}</span>

/** Facts beside a page. */
export const Facts = ({ facts }: { facts: [string, ReactNode][] }) => (
  <dl className={css.facts}>
    {facts.map(([name, value]) => (
      <Fragment key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </Fragment>
    ))}
  </dl>
)

/** Copies a text, and says that it did. */
export function CopyIcon({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation('common')
  return (
    <MantineCopy value={text} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t('copied') : (label ?? t('copy'))}>
          <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={label ?? t('copy')}>
            {copied ? <Check size={16} /> : <Copy size={16} />}
          </ActionIcon>
        </Tooltip>
      )}
    </MantineCopy>
  )
}

/** The same as a button with words. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation('common')
  return (
    <MantineCopy value={text} timeout={1500}>
      {({ copied, copy }) => (
        <Button
          variant="default"
          onClick={copy}
          leftSection={copied ? <Check size={16} /> : <Copy size={16} />}
        >
          {copied ? t('copied') : (label ?? t('copy'))}
        </Button>
      )}
    </MantineCopy>
  )
}

/** Lines to copy. */
export const Code = ({ text }: { text: string }) => (
  <div className={css.code}>
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
    <pre tabIndex={0}>{text}</pre>
    <span className={css.copy}>
      <CopyIcon text={text} />
    </span>
  </div>
)

/** A row of a form: what it is and why at the left, fields at the right. */
export const FormRow = ({
  label,
  why,
  children,
}: {
  label: string
  why?: ReactNode
  children: ReactNode
}) => (
  <div className={css.row}>
    <div>
      <div className={css.label}>{label}</div>
      {why ? <div className={css.why}>{why}</div> : null}
    </div>
    <div>{children}</div>
  </div>
)
