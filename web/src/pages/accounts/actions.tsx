import { Menu } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useNavigate } from '@tanstack/react-router'
import { LogIn, Pause, Pencil, Play, RotateCcw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { del, post } from '@/api/client'
import { refresh } from '@/api/queries'
import type { AccountItem } from '@/api/types/accounts'
import { Confirm } from '@/parts/Confirm'
import { useProblem } from '@/parts/States'

/** What is done to one account. */
export function useAccountActions() {
  const problem = useProblem()
  return async (account: AccountItem, action: 'pause' | 'resume' | 'reset') => {
    try {
      await post(`/admin/accounts/${account.id}/${action}`)
      await refresh('account')
    } catch (error) {
      notifications.show({ color: 'red', message: problem(error) })
    }
  }
}

/** The items of an account's menu. */
export function AccountMenu({ account, onDelete }: { account: AccountItem; onDelete: () => void }) {
  const { t } = useTranslation('accounts')
  const navigate = useNavigate()
  const act = useAccountActions()
  const open = () => navigate({ to: '/accounts/$account/edit', params: { account: account.id } })
  return (
    <>
      <Menu.Item leftSection={<Pencil size={16} />} onClick={open}>
        {t('edit')}
      </Menu.Item>
      {account.kind.endsWith('-oauth') ? (
        <Menu.Item
          leftSection={<LogIn size={16} />}
          onClick={() =>
            navigate({ to: '/accounts/add', search: { account: account.id } as never })
          }
        >
          {t('signInAgain')}
        </Menu.Item>
      ) : null}
      {account.enabled ? (
        <Menu.Item leftSection={<Pause size={16} />} onClick={() => act(account, 'pause')}>
          {t('pause')}
        </Menu.Item>
      ) : (
        <Menu.Item leftSection={<Play size={16} />} onClick={() => act(account, 'resume')}>
          {t('resume')}
        </Menu.Item>
      )}
      <Menu.Item leftSection={<RotateCcw size={16} />} onClick={() => act(account, 'reset')}>
        {t('reset')}
      </Menu.Item>
      <Menu.Divider />
      <Menu.Item color="red" leftSection={<Trash2 size={16} />} onClick={onDelete}>
        {t('delete')}
      </Menu.Item>
    </>
  )
}

/** Asks for the name before an account goes. */
export function DeleteAccount({
  account,
  close,
  done,
}: {
  account: AccountItem | null
  close: () => void
  done?: () => void
}) {
  const { t } = useTranslation('accounts')
  // The words stay while the window closes.
  const [shown, setShown] = useState(account)
  if (account && account !== shown) setShown(account)
  if (!shown) return null
  const act = async () => {
    await del(`/admin/accounts/${shown.id}`)
    await refresh('account', 'group')
    done?.()
  }
  return (
    <Confirm
      opened={account !== null}
      close={close}
      title={t('deleteTitle', { name: shown.name })}
      verb={t('delete')}
      name={shown.name}
      act={act}
    >
      {t('deleteText')}
    </Confirm>
  )
}
