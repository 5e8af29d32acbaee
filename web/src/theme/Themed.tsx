import { MantineProvider } from '@mantine/core'
import { type ReactNode, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { schemeManager } from './scheme'
import { cssVariablesResolver, theme } from './theme'

/** The theme, with the names of Mantine's own buttons in the language of the page. */
export function Themed({ nonce, children }: { nonce: string; children: ReactNode }) {
  const { t } = useTranslation('common')
  const close = t('close')
  const named = useMemo(
    () => ({
      ...theme,
      components: {
        ...theme.components,
        CloseButton: { defaultProps: { 'aria-label': close } },
      },
    }),
    [close],
  )
  return (
    <MantineProvider
      theme={named}
      cssVariablesResolver={cssVariablesResolver}
      colorSchemeManager={schemeManager}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      {children}
    </MantineProvider>
  )
}
