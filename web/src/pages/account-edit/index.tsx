import { Skeleton } from '@mantine/core'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, patch } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { AccountDetail } from '@/api/types/accounts'
import { FormPage, focusFirstWrong } from '@/parts/Form'
import { PageHead } from '@/parts/PageHead'
import css from '@/parts/parts.module.css'
import { ErrorState, useProblem } from '@/parts/States'
import { type AccountForm, changes, formOf } from './fields'
import { Requests, Waits } from './Requests'
import { Limits, Names, Serves, Way } from './Rows'

/** Changes an account. */
export default function EditAccountPage() {
  const { account: id } = useParams({ strict: false }) as { account: string }
  const read = useRead<AccountDetail>('account', `/admin/accounts/${encodeURIComponent(id)}`)
  if (read.error && !read.data) return <ErrorState error={read.error} retry={read.refetch} />
  if (!read.data) return <Skeleton height={600} aria-busy="true" />
  return <Edit key={read.data.id} account={read.data} />
}

function Edit({ account }: { account: AccountDetail }) {
  const { t } = useTranslation('accounts')
  const navigate = useNavigate()
  const problem = useProblem()
  const [before] = useState(() => formOf(account))
  const [form, setForm] = useState(before)
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const leave = () => navigate({ to: '/accounts/$account', params: { account: account.id } })
  const send = async () => {
    setWrong(null)
    setBusy(true)
    try {
      const body = changes(before, form)
      if (Object.keys(body).length) {
        await patch(`/admin/accounts/${account.id}`, body)
        await refresh('account', 'group')
      }
      await leave()
    } catch (error) {
      setWrong({ field: error instanceof ApiError ? error.field : null, text: problem(error) })
      focusFirstWrong()
    } finally {
      setBusy(false)
    }
  }
  const faultOf = (...fields: string[]) =>
    wrong?.field && fields.includes(wrong.field) ? wrong.text : null
  const rows = {
    account,
    form,
    faultOf,
    set: (change: Partial<AccountForm>) => setForm((was) => ({ ...was, ...change })),
  }
  return (
    <div style={{ maxWidth: 1120 }}>
      <PageHead
        title={t('editTitle', { name: account.name })}
        crumb={{ to: '/accounts', name: t('title') }}
      />
      <FormPage
        onSend={send}
        verb={t('saveChanges')}
        onCancel={leave}
        busy={busy}
        changed={form !== before}
        outcome={<Outcome form={form} />}
        note={wrong ? <span role="alert">{wrong.text}</span> : undefined}
      >
        <Names {...rows} />
        <Way {...rows} />
        <Serves {...rows} />
        <Limits {...rows} />
        <Requests {...rows} />
        <Waits {...rows} />
      </FormPage>
    </div>
  )
}

/** What will come of the form, in words. */
function Outcome({ form }: { form: AccountForm }) {
  const { t } = useTranslation('accounts')
  const marks = [
    form.stop5h === '' ? null : t('say.stop5h', { percent: form.stop5h }),
    form.stop7d === '' ? null : t('say.stop7d', { percent: form.stop7d }),
    form.daily === '' ? null : t('say.daily', { usd: form.daily }),
  ].filter((it) => it !== null)
  return (
    <div className={css.outcome}>
      <h2>{t('inWords')}</h2>
      <p>
        {[
          form.sharing === 'shared' ? t('say.shared') : t('say.reserved'),
          form.clients === 'any' ? '' : t('say.claudeCode'),
          t('say.turn', { priority: form.priority || 50 }),
          form.max_concurrency === ''
            ? ''
            : t('say.atOnce', { count: Number(form.max_concurrency) }),
          ...marks,
        ]
          .filter(Boolean)
          .join(' ')}
      </p>
    </div>
  )
}
