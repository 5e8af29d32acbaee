import { SegmentedControl } from '@mantine/core'
import { useTranslation } from 'react-i18next'

export const RANGES = ['24h', '7d', '28d', '90d'] as const
export type Range = (typeof RANGES)[number]

/** Which time figures are of. */
export function RangePicker({
  value,
  onChange,
  of = RANGES,
}: {
  value: Range
  onChange: (range: Range) => void
  of?: readonly Range[]
}) {
  const { t } = useTranslation('common')
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('range.label')}
      value={value}
      onChange={(next) => onChange(next as Range)}
      data={of.map((range) => ({ value: range, label: t(`range.${range}`) }))}
    />
  )
}
