// Gathers what Mantine's parts look like, of those parts that the page uses: all of them would be twice as much.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Plugin } from 'vite'

const ID = 'virtual:mantine-styles'
const CORE = resolve('node_modules/@mantine/core')
/** What every page needs, whatever it shows. */
const ALWAYS = ['baseline', 'default-css-variables', 'global']
/** Packages whose parts are made of those of the core. */
const OTHERS = ['dates', 'notifications', 'spotlight']

function files(dir: string, ending: RegExp): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) return files(path, ending)
    return ending.test(name) ? [path] : []
  })
}

/** Names that a text imports from a package. */
const imported = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`import\\s*\\{([^}]*)\\}\\s*from\\s*["']${name}["']`, 'g'))]
    .flatMap(([, names = '']) => names.split(','))
    .map((it) => (it.replace(/\btype\s/, '').split(/\sas\s/)[0] ?? '').trim())
    .filter(Boolean)

/** Where each name of the core is made. */
function homes(): Map<string, string> {
  const index = readFileSync(join(CORE, 'esm/index.mjs'), 'utf8')
  const found = new Map<string, string>()
  for (const [, names = '', path = ''] of index.matchAll(
    /import\s*\{([^}]*)\}\s*from\s*["'](\.[^"']+)["']/g,
  )) {
    for (const name of names.split(',')) {
      found.set((name.split(/\sas\s/).pop() ?? '').trim(), join(CORE, 'esm', path))
    }
  }
  return found
}

/** A file with all that it imports. */
function whole(path: string, found: Set<string>) {
  if (found.has(path) || !existsSync(path)) return
  found.add(path)
  for (const [, other] of readFileSync(path, 'utf8').matchAll(/from\s*["'](\.[^"']+\.mjs)["']/g)) {
    if (other) whole(join(dirname(path), other), found)
  }
}

/** The style files of all parts that the sources use, in Mantine's order. */
function usedStyles(): string[] {
  const texts = files('src', /\.tsx?$/).map((path) => readFileSync(path, 'utf8'))
  const others = OTHERS.filter((name) => texts.some((it) => it.includes(`@mantine/${name}'`)))
  const made = others.flatMap((name) =>
    files(resolve('node_modules/@mantine', name, 'esm'), /\.mjs$/).map((path) =>
      readFileSync(path, 'utf8'),
    ),
  )
  const home = homes()
  const parts = new Set<string>()
  for (const text of [...texts, ...made]) {
    for (const name of imported(text, '@mantine/core')) {
      const path = home.get(name)
      if (path) whole(path, parts)
    }
  }
  const names = new Set([...ALWAYS, ...[...parts].map((path) => basename(path, '.mjs'))])
  const all = readFileSync(join(CORE, 'styles.css'), 'utf8')
  return [...names]
    .filter((name) => existsSync(join(CORE, `styles/${name}.css`)))
    .map((name) => ({ name, text: readFileSync(join(CORE, `styles/${name}.css`), 'utf8') }))
    .map(({ name, text }) => ({ name, place: all.indexOf(text.trim().slice(0, 200)) }))
    .sort((one, other) => one.place - other.place)
    .map(({ name }) => name)
}

/** While one works on the page all styles are there, as what is used changes. */
export const mantineStyles = (): Plugin => {
  let all = false
  return {
    name: 'mantine-styles',
    configResolved(config) {
      all = config.command === 'serve'
    },
    resolveId: (id) => (id === ID ? `\0${ID}` : undefined),
    load(id) {
      if (id !== `\0${ID}`) return
      const used = usedStyles().map((name) => `styles/${name}.layer.css`)
      const chosen = all ? ['styles.layer.css'] : used
      return chosen.map((name) => `import '@mantine/core/${name}'`).join('\n')
    },
  }
}
