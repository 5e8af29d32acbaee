import { Button, Group, Menu, MultiSelect, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { del, post, put } from '@/api/client'
import { refresh, useRead } from '@/api/queries'
import { useMayChange } from '@/api/session'
import type { Accounts, GroupItem } from '@/api/types/accounts'
import { Confirm } from '@/parts/Confirm'
import { DataTable } from '@/parts/DataTable'
import { PageHead } from '@/parts/PageHead'
import { EmptyState, useProblem } from '@/parts/States'

/** Accounts that belong together, which keys can be bound to. */
export default function GroupsPage() {
  const { t } = useTranslation('accounts')
  const mayChange = useMayChange()
  const read = useRead<GroupItem[]>('group', '/admin/groups')
  const accounts =
    useRead<Accounts>('account', '/admin/accounts', { per_page: 100 }).data?.items ?? []
  const [removing, setRemoving] = useState<GroupItem | null>(null)
  const problem = useProblem()
  const tell = (error: unknown) => notifications.show({ color: 'red', message: problem(error) })
  const setMembers = async (group: GroupItem, names: string[]) => {
    const before = group.accounts.map((it) => it.name)
    const path = (name: string) => `/admin/groups/${group.id}/accounts/${encodeURIComponent(name)}`
    try {
      for (const name of names.filter((it) => !before.includes(it))) await put(path(name))
      for (const name of before.filter((it) => !names.includes(it))) await del(path(name))
    } catch (error) {
      tell(error)
    }
    await refresh('group', 'account')
  }
  return (
    <>
      <PageHead title={t('groups')} />
      {mayChange ? <NewGroup /> : null}
      <DataTable
        id="groups"
        rows={read.data}
        error={read.error}
        retry={read.refetch}
        idOf={(row) => row.id}
        nameOf={(row) => row.name}
        empty={<EmptyState title={t('noGroups')} text={t('noGroupsText')} />}
        columns={[
          { id: 'name', title: t('name'), width: 200, cell: (row) => row.name },
          {
            id: 'accounts',
            title: t('title'),
            cell: (row) =>
              mayChange ? (
                <MultiSelect
                  aria-label={t('membersOf', { name: row.name })}
                  variant="unstyled"
                  searchable
                  data={accounts.map((it) => it.name)}
                  value={row.accounts.map((it) => it.name)}
                  onChange={(names) => setMembers(row, names)}
                />
              ) : (
                row.accounts.map((it) => it.name).join(', ')
              ),
          },
          { id: 'keys', title: t('boundKeys'), number: true, width: 120, cell: (row) => row.keys },
        ]}
        actions={
          mayChange
            ? (row) => (
                <Menu.Item color="red" onClick={() => setRemoving(row)}>
                  {t('delete')}
                </Menu.Item>
              )
            : undefined
        }
      />
      <Confirm
        opened={removing !== null}
        close={() => setRemoving(null)}
        title={t('deleteTitle', { name: removing?.name ?? '' })}
        verb={t('delete')}
        act={async () => {
          await del(`/admin/groups/${removing?.id}`)
          await refresh('group', 'account')
        }}
      >
        {t('deleteGroup')}
      </Confirm>
    </>
  )
}

function NewGroup() {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [name, setName] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const send = async (event: FormEvent) => {
    event.preventDefault()
    try {
      await post('/admin/groups', { name: name.trim() })
      setName('')
      setWrong(null)
      await refresh('group')
    } catch (error) {
      setWrong(problem(error))
    }
  }
  return (
    <form onSubmit={send}>
      <Group gap={8} mb={16} align="flex-start">
        <TextInput
          aria-label={t('newGroup')}
          placeholder={t('newGroup')}
          value={name}
          error={wrong}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" variant="default">
          {t('addGroup')}
        </Button>
      </Group>
    </form>
  )
}
