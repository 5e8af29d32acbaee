import { Skeleton } from '@mantine/core'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, patch } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { KeyItem, KeySuggestions } from '@/api/types/keys'
import { FormPage, focusFirstWrong } from '@/parts/Form'
import { PageHead } from '@/parts/PageHead'
import { ErrorState, useProblem } from '@/parts/States'
import { bodyOf, changes, formOf } from '../key-form/fields'
import { Outcome } from '../key-form/Outcome'
import { Rows } from '../key-form/Rows'

/** Changes a key. */
export default function EditKeyPage() {
  const { key: id } = useParams({ strict: false }) as { key: string }
  const read = useRead<KeyItem>('key', `/admin/keys/${encodeURIComponent(id)}`)
  if (read.error && !read.data) return <ErrorState error={read.error} retry={read.refetch} />
  if (!read.data) return <Skeleton height={600} aria-busy="true" />
  return <Edit key={read.data.id} item={read.data} />
}

function Edit({ item }: { item: KeyItem }) {
  const { t } = useTranslation('keys')
  const navigate = useNavigate()
  const problem = useProblem()
  const hints = useRead<KeySuggestions>('key', '/admin/keys/suggestions').data
  // What was there when the form was opened: what somebody else changed meanwhile stays.
  const [before] = useState(() => formOf(item))
  const [form, setForm] = useState(before)
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const leave = () => navigate({ to: '/keys/$key', params: { key: item.id } })
  const send = async () => {
    setWrong(null)
    setBusy(true)
    try {
      const body = changes(bodyOf(before), bodyOf(form))
      if (Object.keys(body).length) {
        await patch(`/admin/keys/${item.id}`, body)
        await refresh('key')
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
  return (
    <div style={{ maxWidth: 1120 }}>
      <PageHead
        title={t('editTitle', { name: item.name })}
        crumb={{ to: '/keys', name: t('title') }}
      />
      <FormPage
        onSend={send}
        verb={t('saveChanges')}
        onCancel={leave}
        busy={busy}
        changed={form !== before}
        outcome={<Outcome form={form} hints={hints} isNew={false} />}
        note={wrong ? <span role="alert">{wrong.text}</span> : undefined}
      >
        <Rows
          form={form}
          set={(change) => setForm((was) => ({ ...was, ...change }))}
          hints={hints}
          faultOf={faultOf}
        />
      </FormPage>
    </div>
  )
}
