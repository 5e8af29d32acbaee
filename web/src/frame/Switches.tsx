import {
  ActionIcon,
  type MantineColorScheme,
  Menu,
  SegmentedControl,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core'
import { Check, Languages, Monitor, Moon, Sun } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { speak, useLanguage } from '@/i18n'

/** Chinese or English. */
export function LanguageSwitch() {
  const { t } = useTranslation('frame')
  const next = useLanguage() === 'zh' ? 'en' : 'zh'
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={t('language')}
      title={t('language')}
      onClick={() => speak(next)}
    >
      <Languages size={17} aria-hidden />
    </ActionIcon>
  )
}

const SCHEMES: { value: MantineColorScheme; icon: typeof Sun }[] = [
  { value: 'light', icon: Sun },
  { value: 'dark', icon: Moon },
  { value: 'auto', icon: Monitor },
]

/** Light, dark, or as the system is. */
export function SchemeSwitch() {
  const { t } = useTranslation('frame')
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light')
  return (
    <Menu position="top-end" width={180}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={t('scheme')} title={t('scheme')}>
          {scheme === 'dark' ? <Sun size={17} aria-hidden /> : <Moon size={17} aria-hidden />}
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ value, icon: Icon }) => (
          <Menu.Item
            key={value}
            role="menuitemradio"
            aria-checked={value === colorScheme}
            leftSection={<Icon size={16} aria-hidden />}
            rightSection={value === colorScheme ? <Check size={14} aria-hidden /> : null}
            onClick={() => setColorScheme(value)}
          >
            {t(value)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

/** The same as a row of choices. */
export function SchemeChoice() {
  const { t } = useTranslation('frame')
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  return (
    <SegmentedControl
      fullWidth
      aria-label={t('scheme')}
      value={colorScheme}
      onChange={(next) => setColorScheme(next as MantineColorScheme)}
      data={SCHEMES.map(({ value }) => ({ value, label: t(value) }))}
    />
  )
}
