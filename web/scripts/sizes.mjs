// Fails if the page, packed by gzip, is larger than people should wait for.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const KB = 1000
const LIMITS = { entry: 190 * KB, charts: 120 * KB, page: 35 * KB, all: 500 * KB }

const files = readdirSync('dist/assets').filter((name) => !/\.(br|gz)$/.test(name))
const size = (name) => {
  const path = `dist/assets/${name}`
  return name.endsWith('.woff2') ? statSync(path).size : gzipSync(readFileSync(path)).length
}
const html = readFileSync('dist/index.html', 'utf8')
const isEntry = (name) => html.includes(name)
const kindOf = (name) => {
  if (/\.(css|woff2)$/.test(name)) return null
  if (isEntry(name)) return 'entry'
  return name.startsWith('charts') ? 'charts' : 'page'
}
let failed = false
const say = (what, bytes, limit) => {
  const over = bytes > limit
  failed ||= over
  if (over || what === 'all' || what.startsWith('index')) {
    console.log(`${over ? 'OVER ' : ''}${what}: ${(bytes / KB).toFixed(1)} of ${limit / KB} KB`)
  }
}
let all = 0
let entry = 0
for (const name of files) {
  const bytes = size(name)
  all += bytes
  const kind = kindOf(name)
  if (kind === 'entry') entry += bytes
  else if (kind) say(name, bytes, LIMITS[kind])
}
say('index (entry)', entry, LIMITS.entry)
say('all', all, LIMITS.all)
process.exit(failed ? 1 : 0)
