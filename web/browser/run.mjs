// Runs the tests in a browser: node web/browser/run.mjs [WORD…], with binaries from CRS_BIN_DIR and SCREENSHOTS=DIR for
// pictures of every page.

import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const words = process.argv.slice(2)
const files = readdirSync(here).filter((name) => name.endsWith('.test.mjs'))
const chosen = words.length ? words.map((word) => new RegExp(word, 'i')) : undefined

run({
  files: files.map((name) => join(here, name)),
  concurrency: 1,
  timeout: 600_000,
  testNamePatterns: chosen,
})
  .on('test:fail', () => {
    process.exitCode = 1
  })
  .compose(new spec())
  .pipe(process.stdout)
