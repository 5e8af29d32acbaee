import { Chip, Group, NumberInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import css from '@/parts/parts.module.css'

interface AmountProps {
  label: string
  value: number | string
  onChange: (value: number | string) => void
  unit?: string
  dollars?: boolean
  error?: string | null
}

/** A number with its unit in the field; empty is no limit. */
export function Amount({ label, value, onChange, unit, dollars, error }: AmountProps) {
  const { t } = useTranslation('keys')
  return (
    <NumberInput
      label={label}
      placeholder={t('noLimitPlace')}
      min={0}
      thousandSeparator
      decimalScale={dollars ? 4 : 0}
      hideControls
      leftSection={dollars ? '$' : undefined}
      rightSection={unit ? <span className={css.hint}>{unit}</span> : undefined}
      rightSectionWidth={unit ? 72 : undefined}
      value={value}
      error={error}
      onChange={onChange}
    />
  )
}

interface ChipsProps {
  label: string
  data: { value: string; label: string }[]
  value: string[]
  onChange: (value: string[]) => void
}

/** A few of a few. */
export const Chips = ({ label, data, value, onChange }: ChipsProps) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in a row
  <div role="group" aria-label={label}>
    <div className={css.hint}>{label}</div>
    <Chip.Group multiple value={value} onChange={onChange}>
      <Group gap={8}>
        {data.map((one) => (
          <Chip key={one.value} value={one.value} radius={8}>
            {one.label}
          </Chip>
        ))}
      </Group>
    </Chip.Group>
  </div>
)

export const Fault = ({ text }: { text: string | null }): ReactNode =>
  text ? (
    <div role="alert" style={{ color: 'var(--crs-failing)', fontSize: 12 }}>
      {text}
    </div>
  ) : null
