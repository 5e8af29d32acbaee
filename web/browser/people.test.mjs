// Who signs in and how: a second factor, somebody who may only look, and a subscription that is signed in to by a link.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openBrowser, openFresh, openWindow, signIn } from './stage.mjs'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The six digits that an app shows for a secret, so many half minutes from now (RFC 6238). */
function codeOf(secret, ahead = 0) {
  const bits = [...secret].map((it) => LETTERS.indexOf(it).toString(2).padStart(5, '0')).join('')
  const bytes = (bits.match(/.{8}/g) ?? []).map((it) => Number.parseInt(it, 2))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead))
  const digest = createHmac('sha1', Buffer.from(bytes)).update(counter).digest()
  const at = digest[19] & 15
  const number = digest.readUInt32BE(at) & 0x7fffffff
  return String(number % 1_000_000).padStart(6, '0')
}

describe('people', { concurrency: 1 }, () => {
  let relay
  let browser
  let window
  let page
  let first
  before(async () => {
    relay = await openFresh()
    browser = await openBrowser()
    window = await openWindow(browser)
    page = window.page
    first = JSON.parse(readFileSync(join(relay.home, 'data', 'init.json'), 'utf8'))
    await signIn(page, {
      base: relay.base,
      username: first.adminUsername,
      password: first.adminPassword,
    })
  })
  after(async () => {
    await browser?.close()
    await relay?.close()
  })
  const go = (path) => page.goto(`${relay.base}/web${path}`)
  const button = (name) => page.getByRole('button', { name, exact: true })
  const admin = (path, body) =>
    page.evaluate(
      async ([path, body]) => {
        const session = await (await fetch('/admin/session')).json()
        const headers = {
          'content-type': 'application/json',
          'x-csrf-token': session.csrf_token,
        }
        const asked = { method: 'POST', headers, body: JSON.stringify(body) }
        const answer = await fetch(`/admin/${path}`, asked)
        if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
        return answer.json()
      },
      [path, body],
    )
  const provider = async (path, body) => {
    const asked = { method: 'POST', body: JSON.stringify(body) }
    const answer = await fetch(`${relay.provider}${path}`, asked)
    assert.ok(answer.ok, await answer.clone().text())
    return answer.json()
  }

  it('a subscription is signed in to again by a link and a pasted code', async () => {
    const tokens = await provider('/__issue', { owner: 'max', lifetime_ms: 3_600_000 })
    const account = await admin('accounts', {
      name: 'max',
      kind: 'claude-oauth',
      base_url: relay.provider,
      oauth: { token_url: `${relay.provider}/v1/oauth/token` },
      secret: JSON.stringify(tokens),
    })
    await go(`/accounts/${account.id}`)
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Sign in again' }).click()
    await button('Get the sign-in link').click()
    await page.getByLabel('Paste the code').fill('not a code')
    await button('Finish').click()
    await page.locator('[aria-invalid="true"]').waitFor()
    await button('Another link').click()
    await button('Get the sign-in link').click()
    const url = await page.getByRole('link', { name: /Sign-in page/ }).getAttribute('href')
    const { pasted } = await provider('/__agree', { owner: 'max', url })
    await page.getByLabel('Paste the code').fill(pasted)
    await button('Finish').click()
    await page.waitForURL(/accounts\/acct_\d+$/)
    await page.getByRole('heading', { name: 'max', level: 1 }).waitFor()
  })

  it('who may only look is shown nothing that changes something', async () => {
    const password = 'only to look around'
    await admin('admins', { username: 'vera', password, role: 'viewer' })
    const other = await openWindow(browser)
    await signIn(other.page, { base: relay.base, username: 'vera', password })
    for (const [path, heading, action] of [
      ['/keys', 'Keys', 'Create key'],
      ['/accounts', 'Accounts', 'Add account'],
      ['/prices', 'Models and prices', 'Set a price'],
    ]) {
      await other.page.goto(`${relay.base}/web${path}`)
      await other.page.getByRole('heading', { name: heading, level: 1 }).waitFor()
      await other.page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' })
      const actions = other.page.locator('header').getByText(action)
      assert.equal(await actions.count(), 0, path)
    }
    assert.deepEqual(other.complaints, [])
    await other.close()
  })

  it('a second factor is set up by a picture or by hand, and asked for from then on', async () => {
    await go('/settings/sign-in')
    await button('Set up a second factor').click()
    await page.getByRole('img', { name: 'The secret as a picture to scan' }).waitFor()
    const secret = (await page.locator('pre').first().textContent()).trim()
    await page.getByLabel('Code').fill('000000')
    await button('Turn it on').click()
    await page.locator('[aria-invalid="true"]').waitFor()
    await page.getByLabel('Code').fill(codeOf(secret))
    await button('Turn it on').click()
    await button('Turn it off').waitFor()
    await page.context().clearCookies()
    await go('/sign-in')
    await page.locator('input[autocomplete="username"]').fill(first.adminUsername)
    await page.locator('input[autocomplete="current-password"]').fill(first.adminPassword)
    await page.locator('button[type="submit"]').click()
    await page.getByText('Six digits from your authenticator app.').waitFor()
    // The code of this half minute is used up.
    await page.locator('input[autocomplete="one-time-code"]').fill(codeOf(secret, 1))
    await page.locator('button[type="submit"]').click()
    await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'))
    assert.deepEqual(window.complaints, [])
  })
})
