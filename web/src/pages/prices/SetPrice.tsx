import { NumberInput, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { put } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Price } from '@/api/types/stats'
import css from '@/parts/parts.module.css'
import { Ask } from '../keys/actions'

const RATES = ['input', 'output', 'cache_read', 'cache_write_5m', 'cache_write_1h'] as const

/** Sets what a model costs; it goes before every list. */
export function SetPrice({ price, close }: { price: Price | null; close: () => void }) {
  const { t } = useTranslation('prices')
  const [model, setModel] = useState(price?.model ?? '')
  const [rates, setRates] = useState<Record<string, number | string>>(
    Object.fromEntries(RATES.map((rate) => [rate, price?.[rate] ?? ''])),
  )
  const send = async () => {
    const told = Object.entries(rates).filter(([, value]) => value !== '')
    const body = Object.fromEntries(told.map(([rate, value]) => [rate, Number(value)]))
    await put(`/admin/prices/${encodeURIComponent(model.trim())}`, body)
    await refresh('price')
    close()
  }
  return (
    <Ask opened close={close} title={t('set')} verb={t('set')} send={send}>
      <TextInput
        label={t('model')}
        description={t('modelWhy')}
        value={model}
        disabled={price !== null}
        onChange={(event) => setModel(event.currentTarget.value)}
        data-autofocus
      />
      <p className="quiet">{t('setText')}</p>
      <div className={css.fields}>
        {RATES.map((rate) => (
          <NumberInput
            key={rate}
            label={t(`rate.${rate}`)}
            placeholder={rate === 'input' || rate === 'output' ? '' : t('follows')}
            leftSection="$"
            min={0}
            decimalScale={6}
            hideControls
            value={rates[rate] ?? ''}
            onChange={(value) => setRates((was) => ({ ...was, [rate]: value }))}
          />
        ))}
      </div>
    </Ask>
  )
}
