// What people do on the page, against the real binary and the simulated provider.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openBrowser, openFresh, openWindow, signIn } from './stage.mjs'

const NEW_PASSWORD = 'a password of my own'

describe('from a fresh installation', { concurrency: 1 }, () => {
  let relay
  let browser
  let window
  let page
  before(async () => {
    relay = await openFresh()
    browser = await openBrowser()
    window = await openWindow(browser)
    page = window.page
  })
  after(async () => {
    await browser?.close()
    await relay?.close()
  })
  const go = (path) => page.goto(`${relay.base}/web${path}`)
  const button = (name) => page.getByRole('button', { name, exact: true })

  it('a wrong password is told in words, and the right one leads to the first steps', async () => {
    const first = JSON.parse(readFileSync(join(relay.home, 'data', 'init.json'), 'utf8'))
    await go('/accounts')
    await page.getByLabel('Name', { exact: true }).fill(first.adminUsername)
    await page.locator('input[autocomplete="current-password"]').fill('not it')
    await page.locator('button[type="submit"]').click()
    await page.getByText('Name or password is wrong.').waitFor()
    await signIn(page, {
      base: relay.base,
      username: first.adminUsername,
      password: first.adminPassword,
    })
    await page.waitForURL(/first-run$/)
    relay.password = first.adminPassword
  })

  it('the first password is replaced by one of their own', async () => {
    await page.getByLabel('The present password').fill(relay.password)
    await page.getByLabel(/A new one/).fill(NEW_PASSWORD)
    await button('Change password').click()
    await page.getByText('The generated one no longer works.').waitFor()
    assert.throws(() => readFileSync(join(relay.home, 'data', 'init.json')))
  })

  it('an account is added by its key, tested, paused and resumed', async () => {
    await go('/accounts/add')
    await page.getByRole('combobox', { name: 'Kind' }).click()
    await page.getByRole('option', { name: 'Anthropic API key' }).click()
    await page.getByLabel('Name', { exact: true }).fill('by hand')
    await page.getByLabel('Address').fill(relay.provider)
    await page.getByLabel('API key', { exact: true }).fill('upstream-secret-1')
    await button('Add account').click()
    await page.waitForURL(/accounts\/acct_1$/)
    await page.getByRole('heading', { name: 'by hand', level: 1 }).waitFor()
    await button('Test').click()
    await page
      .getByText(/direct|works|Works/)
      .first()
      .waitFor()
    await button('Pause').click()
    await button('Resume').waitFor()
    await go('/accounts?state=paused')
    await page.getByText('by hand').waitFor()
    await go('/accounts/acct_1')
    await button('Resume').click()
    await button('Pause').waitFor()
  })

  it('a group is made, and what was done stands in the log', async () => {
    await go('/groups')
    await page.getByLabel('Name of a group').fill('team')
    await button('Add group').click()
    await page.getByRole('cell', { name: 'team', exact: true }).waitFor()
    await go('/settings/audit')
    for (const verb of ['groups_add', 'accounts_add', 'accounts_pause', 'session_set_password']) {
      await page.getByText(verb, { exact: true }).first().waitFor()
    }
  })

  it('a token is shown once and then works', async () => {
    await go('/settings/tokens')
    await page.getByLabel('Name', { exact: true }).fill('script')
    await button('Make token').click()
    const token = (await page.locator('pre').textContent()).trim()
    const asked = { headers: { authorization: `Bearer ${token}` } }
    const answer = await fetch(`${relay.base}/admin/accounts`, asked)
    assert.equal(answer.status, 200)
    await page.reload()
    await page.getByRole('cell', { name: 'script', exact: true }).waitFor()
    assert.equal(await page.getByText(token).count(), 0)
  })

  it('who signs out is out, and nothing complained', async () => {
    await page.context().clearCookies()
    await go('/accounts')
    await page.waitForURL(/sign-in/)
    await signIn(page, { base: relay.base, username: 'ana', password: NEW_PASSWORD })
    assert.deepEqual(window.complaints, [])
  })
})
