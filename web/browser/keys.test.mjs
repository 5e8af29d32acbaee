// Keys, calls and bills as people handle them, against the real binary and the simulated provider; and what who holds a
// key sees of it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openBrowser, openFresh, openWindow, signIn } from './stage.mjs'

const MODEL = 'claude-sonnet-4-6'

describe('keys and calls', { concurrency: 1 }, () => {
  let relay
  let browser
  let window
  let page
  let secret
  before(async () => {
    relay = await openFresh()
    browser = await openBrowser()
    window = await openWindow(browser)
    page = window.page
    const first = JSON.parse(readFileSync(join(relay.home, 'data', 'init.json'), 'utf8'))
    await signIn(page, {
      base: relay.base,
      username: first.adminUsername,
      password: first.adminPassword,
    })
    await admin('POST', 'accounts', {
      name: 'main',
      kind: 'claude-api',
      base_url: relay.provider,
      secret: 'upstream-secret-1',
    })
  })
  after(async () => {
    await browser?.close()
    await relay?.close()
  })
  const go = (path) => page.goto(`${relay.base}/web${path}`)
  const button = (name) => page.getByRole('button', { name, exact: true })
  /** Asks the admin API as the page does. */
  const admin = (method, path, body) =>
    page.evaluate(
      async ([method, path, body]) => {
        const session = await (await fetch('/admin/session')).json()
        const headers = {
          'content-type': 'application/json',
          'x-csrf-token': session.csrf_token,
        }
        const asked = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
        const answer = await fetch(`/admin/${path}`, asked)
        if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
        return answer.json()
      },
      [method, path, body],
    )
  const call = (key, text = 'hello', stream = false) =>
    fetch(`${relay.base}/api/v1/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-api-key': key,
        'anthropic-version': '2023-06-01',
      },
      body: JSON.stringify({
        model: MODEL,
        max_tokens: 50,
        stream,
        messages: [{ role: 'user', content: text }],
      }),
    })
  const row = (name) => page.getByRole('row').filter({ hasText: name })
  const menu = async (name, item) => {
    await page.getByRole('button', { name: `Actions for ${name}` }).click()
    await page.getByRole('menuitem', { name: item }).click()
  }

  it('a key is made with limits, shown once with settings to copy, and works', async () => {
    await go('/keys')
    await page.getByText('No keys yet').waitFor()
    await page.getByRole('link', { name: 'Create key' }).first().click()
    await button('Create key').click()
    await page.getByText('Enter a name.').first().waitFor()
    await page.getByLabel('Name', { exact: true }).fill('lena-tablet')
    await page.getByLabel('Owner').fill('Lena')
    await page.getByLabel('A day', { exact: true }).fill('10')
    await page.getByText('It may spend $10.00 a day.').waitFor()
    await button('Create key').click()
    await page.getByText('Copy it now').waitFor()
    secret = (await page.locator('pre').first().textContent()).trim()
    assert.match(secret, /^cr_/)
    const settings = await page.locator('pre').nth(1).textContent()
    assert.ok(settings.includes(`ANTHROPIC_BASE_URL="${relay.base}/api"`), settings)
    assert.ok(settings.includes(secret), settings)
    await page.getByText('Waits for the first call').waitFor()
    assert.equal((await call(secret)).status, 200)
    await page.getByText('The first call has come').waitFor()
    await button('Done').click()
    await row('lena-tablet').getByText('of $10.00').waitFor()
    assert.equal(await page.getByText(secret).count(), 0)
  })

  it('the call stands in the log with what it came to, and in the file', async () => {
    await go('/calls')
    await row('lena-tablet').first().getByRole('button').first().click()
    await page.getByRole('heading', { name: MODEL }).waitFor()
    await page.getByText('What was asked and answered is not kept.').waitFor()
    await page.keyboard.press('Escape')
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export' }).click(),
    ])
    const text = readFileSync(await file.path(), 'utf8')
    assert.ok(text.includes('lena-tablet') && !text.includes('hello'), text)
    await page.getByPlaceholder('Model').fill('no-such-model')
    await page.getByText('No call fits these filters.').waitFor()
    await button('Clear filters').click()
    await row('lena-tablet').first().waitFor()
  })

  it('a key is edited, and only what changed is sent', async () => {
    await go('/keys')
    await menu('lena-tablet', 'Edit')
    await page.waitForURL(/\/edit$/)
    await page.getByLabel('A week', { exact: true }).fill('50')
    const [sent] = await Promise.all([
      page.waitForRequest((request) => request.method() === 'PATCH'),
      button('Save changes').click(),
    ])
    assert.deepEqual(sent.postDataJSON(), { limits: { weekly_cost_usd: 50 } })
    await page.waitForURL(/keys\/key_\d+$/)
    await page.getByText('Cost a week').first().waitFor()
  })

  it('a key is disabled, enabled, and given another secret while the old one works on', async () => {
    await go('/keys')
    await menu('lena-tablet', 'Disable')
    await row('lena-tablet').getByText('Disabled').waitFor()
    assert.equal((await call(secret)).status, 401)
    await menu('lena-tablet', 'Enable')
    await row('lena-tablet').getByText('Active').waitFor()
    await menu('lena-tablet', 'New secret')
    await button('New secret').click()
    await page.getByText('Copy it now').waitFor()
    const next = (await page.locator('pre').first().textContent()).trim()
    assert.notEqual(next, secret)
    assert.deepEqual([(await call(secret)).status, (await call(next)).status], [200, 200])
    secret = next
  })

  it('several are made at once, tagged, and go to the trash and back', async () => {
    await go('/keys/add')
    await page.getByText('Several at once').click()
    await page.getByLabel('Names begin with').fill('bot')
    await page.getByRole('textbox', { name: 'How many' }).fill('3')
    await button('Create key').click()
    await page.getByRole('heading', { name: '3 keys' }).waitFor()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      button('Download as CSV').click(),
    ])
    const lines = readFileSync(await file.path(), 'utf8').split('\r\n')
    assert.deepEqual([lines[0], lines.length], ['id,name,key', 4])
    await button('Done').click()
    for (const name of ['bot-1', 'bot-2', 'bot-3']) {
      await page.getByRole('checkbox', { name: `Select ${name}` }).check()
    }
    const bar = page.getByRole('toolbar')
    await bar.getByRole('button', { name: 'Tags' }).click()
    await page.getByRole('dialog').getByLabel('Tags').last().fill('bots')
    await page.keyboard.press('Enter')
    await button('Add tags').click()
    await row('bot-2').getByText('bots').waitFor()
    for (const name of ['bot-1', 'bot-2']) {
      await page.getByRole('checkbox', { name: `Select ${name}` }).check()
    }
    await bar.getByRole('button', { name: 'Move to trash' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Move to trash' }).click()
    await row('bot-2').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: /^Trash/ }).click()
    await menu('bot-1', 'Restore')
    await row('bot-1').waitFor({ state: 'detached' })
    await row('bot-2').waitFor()
  })

  it('the dashboard and the bill tell what it cost', async () => {
    await go('/')
    await page.getByRole('heading', { name: 'Top keys' }).waitFor()
    await row('lena-tablet').first().waitFor()
    await page.getByRole('tab', { name: /Calls/ }).click()
    await page.getByRole('heading', { name: /Calls, by model/ }).waitFor()
    await button('As a table').click()
    await page.getByRole('columnheader', { name: MODEL }).waitFor()
    await go('/bills')
    await row('lena-tablet').getByText('100%').waitFor()
    await page.getByText('By owner').click()
    await row('Lena').waitFor()
  })

  it('an open call is seen and ended by hand', async () => {
    await go('/')
    const long = await call(secret, '[[paced 600 100]]', true)
    await page.getByRole('heading', { name: 'Calling now' }).waitFor()
    const open = row('lena-tablet').filter({ hasText: 'streaming' })
    await open.hover()
    await open.getByRole('button', { name: 'Cancel' }).click()
    const text = await long.text()
    assert.ok(text.includes('event: error'), text.slice(-300))
    await page.waitForFunction(
      async () => (await (await fetch('/admin/live/calls')).json()).length === 0,
    )
  })

  it('who holds the key sees its use and limits with the key alone', async () => {
    const other = await openWindow(browser)
    await other.page.goto(`${relay.base}/web/stats`)
    await other.page.getByLabel('Key', { exact: true }).fill('cr_not_a_key')
    await other.page.getByRole('button', { name: 'Look' }).click()
    await other.page.getByRole('alert').waitFor()
    await other.page.getByRole('button', { name: 'Forget this key' }).click()
    await other.page.getByLabel('Key', { exact: true }).fill(secret)
    await other.page.getByRole('button', { name: 'Look' }).click()
    await other.page.getByRole('heading', { name: 'lena-tablet' }).waitFor()
    await other.page.getByText('of $10.00').waitFor()
    assert.ok(!other.page.url().includes('cr_'), other.page.url())
    await other.page.reload()
    await other.page.getByRole('heading', { name: 'lena-tablet' }).waitFor()
    assert.deepEqual(other.complaints, [])
    await other.close()
  })

  it('a notice and a title are told to everybody, and a price of ones own is in force', async () => {
    await go('/settings/general')
    await page.getByLabel('Title').fill('Ours')
    await page.getByLabel('Notice').fill('Budgets pause on 24 December.')
    await button('Change').click()
    await page.getByText('Changed.').waitFor()
    const other = await openWindow(browser)
    await other.page.goto(`${relay.base}/web/stats`)
    await other.page.getByText('Budgets pause on 24 December.').waitFor()
    await other.page.getByText('Ours').first().waitFor()
    await other.close()
    await go('/prices')
    await button('Set a price').click()
    await page.getByLabel('Model', { exact: true }).fill('my-model')
    await page.getByLabel('Input', { exact: true }).fill('3')
    await page.getByLabel('Output', { exact: true }).fill('15')
    await page.getByRole('dialog').getByRole('button', { name: 'Set a price' }).click()
    await row('my-model').getByText('Yours').waitFor()
    assert.deepEqual(window.complaints, [])
  })
})
