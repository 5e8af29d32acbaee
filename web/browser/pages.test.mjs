// Every page in both languages, light and dark, on a laptop and a phone: it shows, nothing complains, nothing is wider
// than the window, and who cannot see it can use it.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import { openBrowser, openDemo, openWindow, signIn } from './stage.mjs'

const PAGES = [
  '/',
  '/first-run',
  '/accounts',
  '/accounts/add',
  '/accounts/acct_1',
  '/accounts/acct_1/edit',
  '/keys',
  '/keys/add',
  '/keys/key_1',
  '/keys/key_1/edit',
  '/calls',
  '/bills',
  '/groups',
  '/prices',
  '/settings',
  '/settings/admins',
  '/settings/tokens',
  '/settings/audit',
  '/guide',
  '/stats',
]
const SHOTS = process.env.SCREENSHOTS
const WINDOWS = ['en', 'zh'].flatMap((language) =>
  ['light', 'dark'].flatMap((scheme) =>
    [
      { width: 1440, height: 900 },
      { width: 390, height: 844 },
    ].map((size) => ({ language, scheme, ...size })),
  ),
)

const nameOf = ({ language, scheme, width }) => `${language} ${scheme} ${width}`
const fileOf = (path, window) =>
  `${path.replaceAll('/', '_') || '_'}-${nameOf(window).replaceAll(' ', '-')}.png`

describe('pages', { concurrency: 1 }, () => {
  let demo
  let browser
  let state
  before(async () => {
    demo = await openDemo()
    browser = await openBrowser()
    const window = await openWindow(browser)
    await signIn(window.page, demo)
    state = await window.context.storageState()
    await window.close()
    if (SHOTS) mkdirSync(SHOTS, { recursive: true })
  })
  after(async () => {
    await browser?.close()
    await demo?.close()
  })

  for (const wish of WINDOWS) {
    it(nameOf(wish), async () => {
      const window = await openWindow(browser, { ...wish, state })
      const { page } = window
      const faults = []
      for (const path of PAGES) {
        await page.goto(`${demo.base}/web${path}`)
        await page.locator('h1').first().waitFor()
        // What is asked for when a page opens has come; the live stream never ends, and is not waited for.
        await page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' })
        if (SHOTS) await page.screenshot({ path: `${SHOTS}/${fileOf(path, wish)}`, fullPage: true })
        const wide = await page.evaluate(
          () => document.documentElement.scrollWidth - window.innerWidth,
        )
        if (wide > 1) faults.push(`${path}: ${wide} px wider than the window`)
        const { violations } = await new AxeBuilder({ page }).analyze()
        for (const it of violations.filter((it) => ['serious', 'critical'].includes(it.impact))) {
          faults.push(
            `${path}: ${it.id}: ${it.nodes
              .map((node) => node.target.join(' '))
              .slice(0, 3)
              .join(', ')}`,
          )
        }
        for (const complaint of window.complaints.splice(0)) faults.push(`${path}: ${complaint}`)
      }
      await window.close()
      assert.deepEqual(faults, [])
    })
  }
})
