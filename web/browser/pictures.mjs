// Draws the pictures of the READMEs from a demo: CRS_BIN_DIR=… node web/browser/pictures.mjs
import { mkdirSync } from 'node:fs'
import { openBrowser, openDemo, openWindow, signIn } from './stage.mjs'

const TO = 'docs/pictures'
/** What the demo's keys are limited to, so that there is something to see. */
const LIMITS = {
  'lena-laptop': { daily_cost_usd: 20, weekly_cost_usd: 100, concurrency: 4 },
  'ci-review': { daily_cost_usd: 5, window_seconds: 18_000, requests: 60 },
  'docs-translate': { monthly_cost_usd: 20 },
  demo: { daily_cost_usd: 2, weekly_cost_usd: 10, concurrency: 2 },
}
const SECONDS_OF_CALLS = 45

const demo = await openDemo()
const browser = await openBrowser()
mkdirSync(TO, { recursive: true })
const first = await openWindow(browser)
await signIn(first.page, demo)
await first.page.evaluate(async (limits) => {
  const session = await (await fetch('/admin/session')).json()
  const headers = { 'content-type': 'application/json', 'x-csrf-token': session.csrf_token }
  for (const [name, set] of Object.entries(limits)) {
    const body = JSON.stringify({ limits: set })
    const answer = await fetch(`/admin/keys/${name}`, { method: 'PATCH', headers, body })
    if (!answer.ok) throw new Error(await answer.text())
  }
}, LIMITS)
const state = await first.context.storageState()
await first.close()
await new Promise((done) => setTimeout(done, SECONDS_OF_CALLS * 1_000))

for (const language of ['en', 'zh']) {
  const end = language === 'zh' ? '-zh' : ''
  const window = await openWindow(browser, { language, height: 960, state })
  const draw = async (name, path, act) => {
    await window.page.goto(`${demo.base}/web${path}`)
    await window.page.locator('h1').first().waitFor()
    await act?.(window.page)
    await window.page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' })
    await window.page.waitForTimeout(1_500)
    await window.page.screenshot({ path: `${TO}/${name}${end}.png` })
  }
  await draw('dashboard', '/?range=7d')
  await draw('keys', '/keys')
  await draw('call', '/calls?status=retried&range=7d', (page) =>
    page.locator('tbody button').first().click(),
  )
  await window.close()
  const phone = await openWindow(browser, { language, width: 390, height: 844, scheme: 'dark' })
  await phone.page.goto(`${demo.base}/web/stats`)
  await phone.page.locator('input').first().fill(demo.key)
  await phone.page.locator('form button[type="submit"]').click()
  await phone.page.locator('figure').first().waitFor()
  await phone.page.waitForTimeout(1_000)
  await phone.page.screenshot({ path: `${TO}/holder${end}.png` })
  await phone.close()
}
await browser.close()
await demo.close()
