// Packs each file of the page beside itself, as the relay hands them out.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const PACKED = /\.(js|css|svg|json)$/
const best = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }

function pack(dir) {
  for (const name of readdirSync(dir)) {
    const path = `${dir}/${name}`
    if (statSync(path).isDirectory()) pack(path)
    else if (PACKED.test(name)) {
      const bytes = readFileSync(path)
      writeFileSync(`${path}.br`, brotliCompressSync(bytes, best))
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    }
  }
}
pack('dist')
