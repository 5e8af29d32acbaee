import { localStorageColorSchemeManager } from '@mantine/core'

/** Keeps who likes light or dark, under the name that `scheme.js` reads before the first paint. */
export const schemeManager = localStorageColorSchemeManager({ key: 'crs-scheme' })
