import { Button, Textarea, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, patch } from '@/api/client'
import { queries, refresh, useRead } from '@/api/queries'
import { sessionQuery } from '@/api/session'
import type { Settings } from '@/api/types/stats'
import { Mark } from '@/frame/Mark'
import { DataTable } from '@/parts/DataTable'
import { State } from '@/parts/State'
import { ErrorState, useProblem } from '@/parts/States'
import { FormRow } from '@/parts/small'

/** What everybody sees: title, picture, notice. */
export function General({ mayChange }: { mayChange: boolean }) {
  const read = useRead<Settings>('setting', '/admin/settings')
  if (read.error && !read.data) return <ErrorState error={read.error} retry={read.refetch} />
  if (!read.data) return <div aria-busy="true" />
  return <Form set={read.data} mayChange={mayChange} />
}

function Form({ set, mayChange }: { set: Settings; mayChange: boolean }) {
  const { t } = useTranslation('settings')
  const problem = useProblem()
  const [title, setTitle] = useState(set.title)
  const [logo, setLogo] = useState(set.logo)
  const [notice, setNotice] = useState(set.notice)
  const [said, setSaid] = useState<{ field: string | null; text: string; ok: boolean } | null>(null)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    try {
      await patch('/admin/settings', { title, logo, notice })
      setSaid({ field: null, text: t('generalDone'), ok: true })
      await Promise.all([
        refresh('setting', 'site'),
        queries.invalidateQueries({ queryKey: sessionQuery.queryKey }),
      ])
    } catch (error) {
      const field = error instanceof ApiError ? error.field : null
      setSaid({ field, text: problem(error), ok: false })
    }
  }
  const faultOf = (field: string) => (said && !said.ok && said.field === field ? said.text : null)
  return (
    <form onSubmit={send}>
      <FormRow label={t('siteTitle')} why={t('siteTitleWhy')}>
        <TextInput
          aria-label={t('siteTitle')}
          value={title}
          disabled={!mayChange}
          error={faultOf('title')}
          onChange={(event) => setTitle(event.currentTarget.value)}
        />
      </FormRow>
      <FormRow label={t('logo')} why={t('logoWhy')}>
        <TextInput
          aria-label={t('logo')}
          placeholder="https://"
          leftSection={<Mark logo={logo.startsWith('data:') ? logo : ''} size={18} />}
          value={logo}
          disabled={!mayChange}
          error={faultOf('logo')}
          onChange={(event) => setLogo(event.currentTarget.value)}
        />
      </FormRow>
      <FormRow label={t('notice')} why={t('noticeWhy')}>
        <Textarea
          aria-label={t('notice')}
          autosize
          minRows={2}
          value={notice}
          disabled={!mayChange}
          error={faultOf('notice')}
          onChange={(event) => setNotice(event.currentTarget.value)}
        />
      </FormRow>
      {said && (said.ok || !said.field) ? (
        <State kind={said.ok ? 'able' : 'failing'}>{said.text}</State>
      ) : null}
      {mayChange ? (
        <Button type="submit" mt={16}>
          {t('generalSave')}
        </Button>
      ) : null}
    </form>
  )
}

/** What the relay was started with. */
export function RunningSettings() {
  const { t } = useTranslation('settings')
  const read = useRead<Settings>('setting', '/admin/settings')
  return (
    <>
      <p className="quiet">{t('runningText')}</p>
      <DataTable
        id="running"
        rows={read.data?.running}
        error={read.error}
        retry={read.refetch}
        idOf={(row) => row.name}
        nameOf={(row) => row.name}
        empty={null}
        columns={[
          { id: 'name', title: t('setting'), cell: (row) => <code>{row.name}</code> },
          { id: 'value', title: t('value'), cell: (row) => row.value ?? t('notSet') },
          { id: 'origin', title: t('origin'), cell: (row) => t(`origins.${row.origin}`) },
        ]}
      />
    </>
  )
}

/** The clients that are told apart. */
export function Clients() {
  const { t } = useTranslation('settings')
  const read = useRead<Settings>('setting', '/admin/settings')
  return (
    <>
      <p className="quiet">{t('clientsText')}</p>
      <DataTable
        id="clients"
        rows={read.data?.clients}
        error={read.error}
        retry={read.refetch}
        idOf={(row) => row.id}
        nameOf={(row) => row.name}
        empty={null}
        columns={[
          { id: 'name', title: t('name'), cell: (row) => row.name },
          { id: 'id', title: t('clientId'), cell: (row) => <code>{row.id}</code> },
          {
            id: 'agent',
            title: t('userAgent'),
            cell: (row) => (row.built_in ? t('builtIn') : <code>{row.user_agent ?? ''}</code>),
          },
          { id: 'about', title: t('description'), cell: (row) => row.description },
        ]}
      />
    </>
  )
}
