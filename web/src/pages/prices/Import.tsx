import { FileInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, post } from '@/api/client'
import { refresh } from '@/api/queries'
import type { PriceImport } from '@/api/types/stats'
import { count } from '@/parts/format'
import { Ask } from '../keys/actions'

/** Takes a list of prices over from a file. */
export function ImportPrices({ opened, close }: { opened: boolean; close: () => void }) {
  const { t } = useTranslation('prices')
  const [file, setFile] = useState<File | null>(null)
  const [done, setDone] = useState<PriceImport | null>(null)
  const send = async () => {
    if (done) return close()
    if (!file) throw new ApiError(400, 'invalid', t('needsFile'))
    setDone(await post<PriceImport>('/admin/prices/import', { text: await file.text() }))
    await refresh('price')
  }
  return (
    <Ask
      opened={opened}
      close={close}
      title={t('import')}
      verb={done ? t('done') : t('import')}
      send={send}
    >
      <p>{t('importText')}</p>
      <FileInput label={t('file')} accept=".json" value={file} onChange={setFile} />
      {done ? (
        <p role="status">
          {t('imported', { count: done.models, said: count(done.models) })}
          {done.unreadable ? ` ${t('unreadable', { count: done.unreadable })}` : ''}
        </p>
      ) : null}
    </Ask>
  )
}
