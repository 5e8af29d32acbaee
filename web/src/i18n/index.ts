import i18next, { type BackendModule } from 'i18next'
import { initReactI18next, useTranslation } from 'react-i18next'

export type Language = 'en' | 'zh'

const KEPT = 'crs-language'
const files = import.meta.glob<{ default: object }>('./*/*.json')

/** Each area of the page has a file of texts in each language, loaded when it is first shown. */
const backend: BackendModule = {
  type: 'backend',
  init() {},
  read(language, area, done) {
    const load = files[`./${language}/${area}.json`]
    if (!load) return done(new Error(`no texts of ${area} in ${language}`), null)
    load().then(
      (module) => done(null, module.default as Record<string, string>),
      (error: unknown) => done(error as Error, null),
    )
  },
}

const wished = (): Language => {
  const kept = localStorage.getItem(KEPT)
  if (kept === 'en' || kept === 'zh') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

/** Loads the texts that every page shows. */
export async function startTexts() {
  const language = wished()
  document.documentElement.lang = language
  await i18next
    .use(backend)
    .use(initReactI18next)
    .init({
      lng: language,
      fallbackLng: false,
      supportedLngs: ['en', 'zh'],
      ns: ['common', 'frame'],
      defaultNS: 'common',
      interpolation: { escapeValue: false },
      showSupportNotice: false,
      react: { useSuspense: true },
    })
}

/** The language of the page. */
export const language = (): Language => (i18next.language === 'zh' ? 'zh' : 'en')

/** The same for what is to be drawn anew when it is switched. */
export const useLanguage = (): Language => (useTranslation().i18n.language === 'zh' ? 'zh' : 'en')

/** Switches the page to a language, and remembers it. */
export async function speak(next: Language) {
  localStorage.setItem(KEPT, next)
  document.documentElement.lang = next
  await i18next.changeLanguage(next)
}
