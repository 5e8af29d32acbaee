// What the tests in a browser stand on: the real binary, a browser, and somebody who is signed in.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { chromium } from 'playwright-core'

const BINARIES = resolve(process.env.CRS_BIN_DIR ?? 'target/debug')
const START_SECONDS = 60
const STOP_SECONDS = 10

/** A program of ours; `ready` is what it prints when it is. Ended by its own process. */
async function start(name, args, env, ready) {
  const child = spawn(join(BINARIES, name), args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const found = new Promise((done, fail) => {
    const timer = setTimeout(
      () => fail(new Error(`${name} did not start:\n${output}`)),
      START_SECONDS * 1000,
    )
    const look = (chunk) => {
      output += chunk
      const match = output.match(ready)
      if (!match) return
      clearTimeout(timer)
      done(match)
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.on('exit', (code) => fail(new Error(`${name} ended with ${code}:\n${output}`)))
  })
  const match = await found
  return {
    match,
    output: () => output,
    stop: () =>
      new Promise((done) => {
        if (child.exitCode !== null) return done()
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_SECONDS * 1000)
        child.on('exit', () => {
          clearTimeout(timer)
          done()
        })
        child.kill('SIGTERM')
      }),
  }
}

/** Everything programs are given of this machine: no way out, and nobody's home. */
function environment(home) {
  const refused = 'http://127.0.0.1:9'
  return {
    PATH: process.env.PATH,
    HOME: home,
    LANG: 'C.UTF-8',
    HTTP_PROXY: refused,
    HTTPS_PROXY: refused,
    NO_PROXY: '127.0.0.1,localhost',
  }
}

/** A demo: accounts, keys and a week of use, with who may sign in. */
export async function openDemo() {
  const home = mkdtempSync(join(tmpdir(), 'crs-web-'))
  const demo = await start(
    'crs',
    ['demo', '--port', '0'],
    environment(home),
    /administrator: (\S+)\s+password: (\S+)\s+key: (\S+)/,
  )
  const base = demo.output().match(/listening on (http:\/\/\S+)/)[1]
  const [, username, password, key] = demo.match
  return {
    base,
    username,
    password,
    key,
    async close() {
      await demo.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** A fresh relay, as after an installation, and a provider that is simulated. */
export async function openFresh() {
  const home = mkdtempSync(join(tmpdir(), 'crs-web-'))
  const env = { ...environment(home), ADMIN_USERNAME: 'ana' }
  const provider = await start('fake-provider', ['--port', '0'], env, /listening on (http:\/\/\S+)/)
  const relay = await start(
    'crs',
    ['serve', '--host', '127.0.0.1', '--port', '0', '--data-dir', join(home, 'data')],
    env,
    /listening on (http:\/\/\S+)/,
  )
  return {
    base: relay.match[1],
    provider: provider.match[1],
    home,
    output: relay.output,
    async close() {
      await relay.stop()
      await provider.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

export const openBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server'],
  })

/** A window of a language, a scheme and a width, which notes what the page complains of. */
export async function openWindow(
  browser,
  { language = 'en', scheme = 'light', width = 1440, height = 900, state } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
    storageState: state,
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => {
    // What a browser says of an answer with an error status is no fault of the page.
    const isStatus = /Failed to load resource: the server responded with a status/.test(
      message.text(),
    )
    if (message.type() === 'error' && !isStatus) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.setDefaultTimeout(15_000)
  return { context, page, complaints, close: () => context.close() }
}

/** Signs in by the form, as a person does. */
export async function signIn(page, { base, username, password }) {
  await page.goto(`${base}/web/sign-in`)
  await page.locator('input[autocomplete="username"]').fill(username)
  await page.locator('input[autocomplete="current-password"]').fill(password)
  await page.locator('button[type="submit"]').click()
  await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'))
}
