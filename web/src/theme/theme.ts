import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core'
import { dark, light, type Token } from './tokens'

const accent: MantineColorsTuple = [
  '#eef3fd',
  '#dbe5fb',
  '#b6caf6',
  '#8ba6ea',
  '#6f9bff',
  '#4a76e6',
  '#2a5bd7',
  '#2450bd',
  '#1d429c',
  '#16337a',
]
const red: MantineColorsTuple = [
  '#fdeeec',
  '#fbd9d5',
  '#f5b1aa',
  '#ee857c',
  '#e65f55',
  '#db493f',
  '#d0392f',
  '#b3261e',
  '#951c15',
  '#7a150f',
]
/** What Mantine draws lines, grounds and quiet texts with, made of the page's own colours. */
const gray: MantineColorsTuple = [
  light.hover,
  light.sunk,
  light.line,
  light['line-strong'],
  light['line-strong'],
  light['series-others'],
  light['ink-3'],
  light['ink-2'],
  '#343b48',
  light.ink,
]
const grayInDark: MantineColorsTuple = [
  dark.ink,
  dark['ink-2'],
  dark['ink-3'],
  '#5b6373',
  dark['line-strong'],
  dark.line,
  dark.raised,
  dark.bg,
  dark.side,
  '#07080b',
]

/** Texts that are in Chinese take the system's letters. */
const LETTERS =
  '"Inter Variable", "Inter Fallback", -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif'

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 6 },
  colors: { accent, red, gray, dark: grayInDark },
  fontFamily: LETTERS,
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
  headings: { fontFamily: LETTERS, fontWeight: '600' },
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '15px', xl: '22px' },
  lineHeights: { xs: '16px', sm: '18px', md: '20px', lg: '20px', xl: '28px' },
  radius: { xs: '3px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  breakpoints: { xs: '30em', sm: '48em', md: '62em', lg: '68.75em', xl: '87.5em' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Checkbox: { defaultProps: { radius: 4 } },
    Drawer: { defaultProps: { shadow: 'md' } },
    // The first item gets the focus; a place of its own for it is no part of a menu for screen readers.
    Menu: {
      defaultProps: {
        shadow: 'md',
        radius: 'lg',
        transitionProps: { duration: 120 },
        withInitialFocusPlaceholder: false,
      },
    },
    Modal: { defaultProps: { radius: 'lg', transitionProps: { duration: 150 } } },
    Popover: { defaultProps: { shadow: 'md', radius: 'lg' } },
    Skeleton: { defaultProps: { radius: 'sm' } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: false } },
  },
})

const variables = (tokens: Record<Token, string>) => ({
  ...Object.fromEntries(Object.entries(tokens).map(([name, value]) => [`--crs-${name}`, value])),
  '--mantine-color-body': tokens.bg,
  '--mantine-color-text': tokens.ink,
  '--mantine-color-bright': tokens.ink,
  '--mantine-color-dimmed': tokens['ink-3'],
  '--mantine-color-placeholder': tokens['ink-3'],
  '--mantine-color-anchor': tokens['accent-text'],
  '--mantine-color-error': tokens.failing,
  '--mantine-color-default': tokens.raised,
  '--mantine-color-default-hover': tokens.hover,
  '--mantine-color-default-border': tokens['line-strong'],
  '--mantine-color-default-color': tokens.ink,
  '--mantine-color-accent-light': tokens['accent-soft'],
  '--mantine-color-accent-light-hover': tokens['accent-soft'],
  '--mantine-color-accent-light-color': tokens['accent-text'],
  '--mantine-color-accent-text': tokens['accent-text'],
  '--mantine-color-accent-outline': tokens.accent,
  '--mantine-color-red-light': tokens['failing-soft'],
  '--mantine-color-red-light-hover': tokens['failing-soft'],
  '--mantine-color-red-light-color': tokens.failing,
  '--mantine-color-red-text': tokens.failing,
  '--mantine-color-gray-light': tokens.sunk,
  '--mantine-color-gray-light-hover': tokens.sunk,
  '--mantine-color-gray-light-color': tokens['ink-2'],
  '--mantine-color-gray-text': tokens['ink-2'],
})

export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {},
  light: variables(light),
  dark: variables(dark),
})
