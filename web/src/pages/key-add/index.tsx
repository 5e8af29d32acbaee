import { SegmentedControl } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { Issued, KeySuggestions } from '@/api/types/keys'
import { KeyShown } from '@/guide/KeyShown'
import { FormPage, focusFirstWrong } from '@/parts/Form'
import { PageHead } from '@/parts/PageHead'
import { useProblem } from '@/parts/States'
import { addition, EMPTY } from '../key-form/fields'
import { Outcome } from '../key-form/Outcome'
import { Rows } from '../key-form/Rows'

/** Gives out a key, or several. */
export default function AddKeyPage() {
  const { t } = useTranslation('keys')
  const navigate = useNavigate()
  const problem = useProblem()
  const hints = useRead<KeySuggestions>('key', '/admin/keys/suggestions').data
  const [part, setPart] = useState<'one' | 'several'>('one')
  const [form, setForm] = useState(EMPTY)
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const [busy, setBusy] = useState(false)
  const [issued, setIssued] = useState<Issued | null>(null)
  const crumb = { to: '/keys', name: t('title') }
  const leave = () => navigate({ to: '/keys' })
  if (issued) {
    const keys = issued.keys.map(({ id, name, secret }) => ({ id, name, secret }))
    const title = keys.length === 1 ? (keys[0]?.name ?? '') : t('created', { count: keys.length })
    return (
      <div style={{ maxWidth: 760 }}>
        <PageHead title={title} crumb={crumb} />
        <KeyShown keys={keys} close={leave} />
      </div>
    )
  }
  const send = async () => {
    setWrong(null)
    if (!form.name.trim()) {
      setWrong({ field: 'name', text: t('needsName') })
      return focusFirstWrong()
    }
    setBusy(true)
    try {
      const count = part === 'several' ? form.count || 1 : ''
      setIssued(await post<Issued>('/admin/keys', addition({ ...form, count })))
      await refresh('key')
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
      <PageHead title={t('create')} crumb={crumb}>
        <SegmentedControl
          aria-label={t('howMany')}
          value={part}
          onChange={(next) => setPart(next as 'one' | 'several')}
          data={['one', 'several'].map((value) => ({ value, label: t(`part.${value}`) }))}
        />
      </PageHead>
      <FormPage
        onSend={send}
        verb={t('create')}
        onCancel={leave}
        busy={busy}
        changed={form !== EMPTY}
        outcome={<Outcome form={form} hints={hints} isNew />}
        note={wrong ? <span role="alert">{wrong.text}</span> : undefined}
      >
        <Rows
          form={form}
          set={(change) => setForm((before) => ({ ...before, ...change }))}
          hints={hints}
          faultOf={faultOf}
          part={part}
        />
      </FormPage>
    </div>
  )
}
