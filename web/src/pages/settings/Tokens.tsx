import { Button, Checkbox, Stack, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { del, post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { Token, TokenMade } from '@/api/types/settings'
import { DataTable } from '@/parts/DataTable'
import { Section } from '@/parts/PageHead'
import { State } from '@/parts/State'
import { EmptyState, useProblem } from '@/parts/States'
import { Ago, Code, When } from '@/parts/small'

const SCOPES = ['read', 'write', 'metrics'] as const

/** What scripts sign in by. */
export function Tokens({ mayChange }: { mayChange: boolean }) {
  const { t } = useTranslation('settings')
  const read = useRead<Token[]>('token', '/admin/tokens')
  const remove = async (token: Token) => {
    await del(`/admin/tokens/${token.id}`)
    await refresh('token')
  }
  return (
    <>
      <DataTable
        id="tokens"
        rows={read.data}
        error={read.error}
        retry={read.refetch}
        idOf={(row) => row.id}
        nameOf={(row) => row.name}
        empty={<EmptyState title={t('noTokens')} text={t('noTokensText')} />}
        columns={[
          { id: 'name', title: t('name'), cell: (row) => row.name },
          {
            id: 'scopes',
            title: t('scopes'),
            cell: (row) => row.scopes.map((scope) => t(`scope.${scope}`)).join(', '),
          },
          { id: 'tail', title: t('endsIn'), cell: (row) => <code>{`…${row.tail}`}</code> },
          {
            id: 'used',
            title: t('lastUsed'),
            cell: (row) => <Ago at={row.last_used_at} never={t('never')} />,
          },
          {
            id: 'expires',
            title: t('expires'),
            cell: (row) => (row.expires_at ? <When at={row.expires_at} /> : t('never')),
          },
          {
            id: 'remove',
            title: '',
            cell: (row) =>
              mayChange ? (
                <Button size="compact-sm" variant="default" onClick={() => remove(row)}>
                  {t('remove')}
                </Button>
              ) : null,
          },
        ]}
      />
      {mayChange ? <NewToken /> : null}
    </>
  )
}

function NewToken() {
  const { t } = useTranslation('settings')
  const problem = useProblem()
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<string[]>(['read'])
  const [made, setMade] = useState<TokenMade | null>(null)
  const [wrong, setWrong] = useState<string | null>(null)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    setWrong(null)
    try {
      setMade(await post<TokenMade>('/admin/tokens', { name: name.trim(), scopes }))
      setName('')
      await refresh('token')
    } catch (error) {
      setWrong(problem(error))
    }
  }
  return (
    <Section title={t('newToken')}>
      {made ? (
        <Stack gap={8} mb={16} aria-live="polite">
          <State kind="able">{t('shownOnce')}</State>
          <Code text={made.token} />
        </Stack>
      ) : null}
      <form onSubmit={send} style={{ maxWidth: 336 }}>
        <Stack gap={8}>
          <TextInput
            label={t('name')}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Checkbox.Group label={t('scopes')} value={scopes} onChange={setScopes}>
            <Stack gap={6} mt={4}>
              {SCOPES.map((scope) => (
                <Checkbox key={scope} value={scope} label={t(`scopeWhy.${scope}`)} />
              ))}
            </Stack>
          </Checkbox.Group>
          {wrong ? <State kind="failing">{wrong}</State> : null}
          <Button type="submit" variant="default">
            {t('addToken')}
          </Button>
        </Stack>
      </form>
    </Section>
  )
}
