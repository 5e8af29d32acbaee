import { Button, Menu, PasswordInput, Select, Stack, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, del, patch, post } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import type { Admin } from '@/api/types/settings'
import { Confirm } from '@/parts/Confirm'
import { DataTable } from '@/parts/DataTable'
import { Section } from '@/parts/PageHead'
import { State } from '@/parts/State'
import { useProblem } from '@/parts/States'
import { Ago } from '@/parts/small'

/** Who may sign in. */
export function Admins({ mayChange }: { mayChange: boolean }) {
  const { t } = useTranslation('settings')
  const problem = useProblem()
  const read = useRead<Admin[]>('admin', '/admin/admins')
  const [removing, setRemoving] = useState<Admin | null>(null)
  const change = (admin: Admin, edit: object) =>
    patch(`/admin/admins/${encodeURIComponent(admin.username)}`, edit)
      .then(() => refresh('admin'))
      .catch((error) => notifications.show({ color: 'red', message: problem(error) }))
  return (
    <>
      <DataTable
        id="admins"
        rows={read.data}
        error={read.error}
        retry={read.refetch}
        idOf={(row) => row.username}
        nameOf={(row) => row.username}
        empty={null}
        columns={[
          { id: 'username', title: t('name'), cell: (row) => row.username },
          { id: 'role', title: t('role'), cell: (row) => t(`roles.${row.role}`) },
          {
            id: 'state',
            title: t('state'),
            cell: (row) => (
              <State kind={row.disabled ? 'paused' : 'able'}>
                {row.disabled ? t('disabled') : t('mayIn')}
              </State>
            ),
          },
          { id: 'totp', title: t('factor'), cell: (row) => (row.totp ? t('on') : t('off')) },
          {
            id: 'seen',
            title: t('seen'),
            cell: (row) => <Ago at={row.seen_at} never={t('never')} />,
          },
        ]}
        actions={
          mayChange
            ? (row) => (
                <>
                  <Menu.Item
                    onClick={() => change(row, { role: row.role === 'admin' ? 'viewer' : 'admin' })}
                  >
                    {row.role === 'admin' ? t('makeViewer') : t('makeAdmin')}
                  </Menu.Item>
                  <Menu.Item onClick={() => change(row, { disabled: !row.disabled })}>
                    {row.disabled ? t('enable') : t('disable')}
                  </Menu.Item>
                  {row.totp ? (
                    <Menu.Item onClick={() => change(row, { reset_totp: true })}>
                      {t('resetFactor')}
                    </Menu.Item>
                  ) : null}
                  <Menu.Divider />
                  <Menu.Item color="red" onClick={() => setRemoving(row)}>
                    {t('remove')}
                  </Menu.Item>
                </>
              )
            : undefined
        }
      />
      {mayChange ? <NewAdmin /> : null}
      <Confirm
        opened={removing !== null}
        close={() => setRemoving(null)}
        title={t('removeTitle', { name: removing?.username ?? '' })}
        verb={t('remove')}
        name={removing?.username}
        act={async () => {
          await del(`/admin/admins/${encodeURIComponent(removing?.username ?? '')}`)
          await refresh('admin')
        }}
      >
        {t('removeText')}
      </Confirm>
    </>
  )
}

const NOBODY = { username: '', password: '', role: 'viewer' }

function NewAdmin() {
  const { t } = useTranslation('settings')
  const problem = useProblem()
  const [admin, setAdmin] = useState(NOBODY)
  const [wrong, setWrong] = useState<{ field: string | null; text: string } | null>(null)
  const set = (change: Partial<typeof NOBODY>) => setAdmin((before) => ({ ...before, ...change }))
  const faultOf = (field: string) => (wrong?.field === field ? wrong.text : null)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    setWrong(null)
    try {
      await post('/admin/admins', admin)
      setAdmin(NOBODY)
      await refresh('admin')
    } catch (error) {
      setWrong({ field: error instanceof ApiError ? error.field : null, text: problem(error) })
    }
  }
  return (
    <Section title={t('newAdmin')}>
      <form onSubmit={send} style={{ maxWidth: 336 }}>
        <Stack gap={8}>
          <TextInput
            label={t('name')}
            autoComplete="off"
            value={admin.username}
            error={faultOf('username')}
            onChange={(event) => set({ username: event.currentTarget.value })}
          />
          <PasswordInput
            label={t('firstPassword')}
            autoComplete="new-password"
            value={admin.password}
            error={faultOf('password')}
            onChange={(event) => set({ password: event.currentTarget.value })}
            visibilityToggleButtonProps={{ 'aria-label': t('show') }}
          />
          <Select
            label={t('role')}
            allowDeselect={false}
            data={['viewer', 'admin'].map((role) => ({ value: role, label: t(`roles.${role}`) }))}
            value={admin.role}
            onChange={(role) => set({ role: role ?? NOBODY.role })}
          />
          {wrong && !['username', 'password'].includes(wrong.field ?? '') ? (
            <State kind="failing">{wrong.text}</State>
          ) : null}
          <Button type="submit" variant="default">
            {t('addAdmin')}
          </Button>
        </Stack>
      </form>
    </Section>
  )
}
