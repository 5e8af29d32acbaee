import {
  Button,
  FileInput,
  Group,
  Modal,
  PasswordInput,
  SegmentedControl,
  Stack,
} from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { post } from '@/api/client'
import { refresh } from '@/api/queries'
import type { AccountsExported, AccountsImported } from '@/api/types/accounts'
import { download } from '@/parts/download'
import { State } from '@/parts/State'
import { useProblem } from '@/parts/States'

interface Props {
  opened: boolean
  close: () => void
}

/** Writes all accounts to a file. */
export function ExportAccounts({ opened, close }: Props) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [passphrase, setPassphrase] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const [twice, setTwice] = useState<string[]>([])
  const send = async (event: FormEvent) => {
    event.preventDefault()
    setWrong(null)
    try {
      const asked = { passphrase: passphrase || null }
      const done = await post<AccountsExported>('/admin/accounts/export', asked)
      download('accounts.json', done.bundle, 'application/json')
      setTwice(done.sign_ins)
      if (done.sign_ins.length === 0) close()
    } catch (error) {
      setWrong(problem(error))
    }
  }
  return (
    <Modal opened={opened} onClose={close} title={t('exportTitle')} centered>
      <form onSubmit={send}>
        <Stack gap={12}>
          <p>{t('exportText')}</p>
          <PasswordInput
            label={t('passphrase')}
            description={t('passphraseWhy')}
            autoComplete="new-password"
            value={passphrase}
            error={wrong}
            onChange={(event) => setPassphrase(event.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': t('show') }}
          />
          {twice.length ? (
            <State kind="resting">{t('exportTwice', { names: twice.join(', ') })}</State>
          ) : null}
          <Group justify="flex-end">
            <Button type="submit">{t('export')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}

/** Takes accounts over from a file; tells first what would be done. */
export function ImportAccounts({ opened, close }: Props) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [file, setFile] = useState<File | null>(null)
  const [passphrase, setPassphrase] = useState('')
  const [existing, setExisting] = useState('skip')
  const [wrong, setWrong] = useState<string | null>(null)
  const [said, setSaid] = useState<AccountsImported | null>(null)
  const [busy, setBusy] = useState(false)
  const send = async (dry_run: boolean) => {
    if (!file) return setWrong(t('file'))
    setBusy(true)
    setWrong(null)
    try {
      const bundle = await file.text()
      const asked = { bundle, passphrase: passphrase || null, existing, dry_run }
      setSaid(await post<AccountsImported>('/admin/accounts/import', asked))
      if (!dry_run) await refresh('account', 'group')
    } catch (error) {
      setWrong(problem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened={opened} onClose={close} title={t('importTitle')} centered>
      <Stack gap={12}>
        <p>{t('importText')}</p>
        <FileInput label={t('file')} accept=".json,.toml" value={file} onChange={setFile} />
        <PasswordInput
          label={t('passphrase')}
          autoComplete="off"
          value={passphrase}
          onChange={(event) => setPassphrase(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': t('show') }}
        />
        <SegmentedControl
          aria-label={t('existing')}
          value={existing}
          onChange={setExisting}
          data={['skip', 'update'].map((value) => ({ value, label: t(value) }))}
        />
        {wrong ? <State kind="failing">{wrong}</State> : null}
        {said ? <Said said={said} /> : null}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" loading={busy} onClick={() => send(true)}>
            {t('tryIt')}
          </Button>
          <Button loading={busy} onClick={() => send(false)}>
            {t('import')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

/** What was done, or would be. */
function Said({ said }: { said: AccountsImported }) {
  const { t } = useTranslation('accounts')
  return (
    <div role="status">
      <p>{t('importSaid', { added: said.imported, updated: said.updated })}</p>
      <ul>
        {said.skipped.map((one) => (
          <li key={`skipped ${one.name}`}>
            {one.name}: {one.why}
          </li>
        ))}
        {said.incomplete.map((one) => (
          <li key={`incomplete ${one.name}`}>
            {one.name}: {t('lacks', { what: one.missing.join(', ') })}
          </li>
        ))}
      </ul>
      {said.sign_ins.length ? (
        <State kind="resting">{t('importTwice', { names: said.sign_ins.join(', ') })}</State>
      ) : null}
    </div>
  )
}
