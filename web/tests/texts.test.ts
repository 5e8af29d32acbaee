// Every text stands in both languages, is used, and none stands in the code.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const LANGUAGES = ['en', 'zh'] as const
const AREAS = readdirSync('src/i18n/en').map((name) => name.replace('.json', ''))
/** Texts that are the same in both languages: names, and what has no letters. */
const NAMES =
  /\b(Relay|English|Claude Code|Claude|Codex|Gemini CLI|Gemini|OpenAI|Cherry Studio|Windows|macOS|Linux|PowerShell|bash|cmd|API|CSV|JSON|OAuth|URL|ID|IP|TOTP|USD|x-api-key|Authorization: Bearer)\b/g
const SAME = /^[\s\d\p{P}\p{S}]*$|^(\{\{\w+\}\}[\s\p{P}]*)+$/u

/** Addresses and names of files are the same in every language. */
const ADDRESS = /^[^\s]*(:\/\/|[./@])[^\s]*$/

type Texts = { [key: string]: string | Texts }

function flat(texts: Texts, before = ''): Map<string, string> {
  const all = new Map<string, string>()
  for (const [name, value] of Object.entries(texts)) {
    if (typeof value === 'string') all.set(before + name, value)
    else for (const [key, text] of flat(value, `${before}${name}.`)) all.set(key, text)
  }
  return all
}

const texts = (language: string, area: string) =>
  flat(JSON.parse(readFileSync(`src/i18n/${language}/${area}.json`, 'utf8')))

/** A key without what tells its plural. */
const stem = (key: string) => key.replace(/_(one|other|zero|few|many|two)$/, '')
const places = (text: string) => [...text.matchAll(/\{\{\s*(\w+)/g)].map((it) => it[1]).sort()

function sources(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = `${dir}/${name}`
    if (statSync(path).isDirectory()) return sources(path)
    return /\.tsx?$/.test(name) && !name.endsWith('.d.ts') ? [path] : []
  })
}

const code = sources('src').map((path) => ({ path, text: readFileSync(path, 'utf8') }))
const allCode = code.map((it) => it.text).join('\n')

describe.each(AREAS)('the texts of %s', (area) => {
  it('are the same keys in both languages', () => {
    const [en, zh] = LANGUAGES.map(
      (language) => new Set([...texts(language, area).keys()].map(stem)),
    )
    expect([...(zh as Set<string>)].sort()).toEqual([...(en as Set<string>)].sort())
  })

  it('have the same places in both languages, and are translated', () => {
    const zh = texts('zh', area)
    for (const [key, english] of texts('en', area)) {
      const chinese = zh.get(key) ?? zh.get(`${stem(key)}_other`) ?? ''
      const missing = places(chinese).filter((place) => !places(english).includes(place))
      expect(
        missing.filter((place) => place !== 'count'),
        `${area}:${key}`,
      ).toEqual([])
      expect(chinese.trim(), `${area}:${key}`).not.toBe('')
      const isChinese = /\p{Script=Han}/u.test(chinese) || SAME.test(chinese.replace(NAMES, ''))
      expect(isChinese, `${area}:${key} is not translated: ${chinese}`).toBe(true)
    }
  })

  it('are used', () => {
    const used = (key: string) => {
      const parts = key.split('.')
      if (allCode.includes(`'${key}'`) || allCode.includes(`:${key}'`)) return true
      // Keys whose end is a value: t(`state.${state}`).
      return parts.some(
        (_, at) => at > 0 && allCode.includes(`${parts.slice(0, at).join('.')}.$\{`),
      )
    }
    const unused = [...new Set([...texts('en', area).keys()].map(stem))].filter((key) => !used(key))
    // The frame names its places by variables.
    expect(area === 'frame' ? [] : unused).toEqual([])
  })
})

it('every text that is asked for exists', () => {
  const known = new Map(
    AREAS.map((area) => [area, new Set([...texts('en', area).keys()].map(stem))] as const),
  )
  const missing = code.flatMap(({ path, text }) => {
    const areas = [...text.matchAll(/(?:useTranslation\(|getFixedT\(null, )'(\w[\w-]*)'/g)].map(
      (it) => it[1] as string,
    )
    if (areas.length === 0) return []
    const asked = [...text.matchAll(/\bt\w?\('([^'$]+)'/g)].map((it) => it[1] as string)
    return asked
      .filter((key) => {
        const [area, name] = key.includes(':') ? (key.split(':') as [string, string]) : [null, key]
        return !(area ? [area] : areas).some((it) => known.get(it)?.has(stem(name)))
      })
      .map((key) => `${path}: ${key}`)
  })
  expect(missing).toEqual([])
})

it('no text stands in the code', () => {
  const found: string[] = []
  for (const { path, text } of code.filter((it) => it.path.endsWith('.tsx'))) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX)
    const visit = (node: ts.Node) => {
      if (ts.isJsxText(node) && /\p{L}{2,}/u.test(node.text) && !isCode(node)) {
        found.push(`${path}: ${node.text.trim()}`)
      }
      const named =
        ts.isJsxAttribute(node) &&
        /^(label|title|placeholder|aria-label|description|alt)$/.test(node.name.getText())
      if (
        named &&
        node.initializer &&
        ts.isStringLiteral(node.initializer) &&
        /\p{L}{2,}/u.test(node.initializer.text) &&
        !ADDRESS.test(node.initializer.text)
      ) {
        found.push(`${path}: ${node.initializer.text}`)
      }
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  expect(found).toEqual([])
})

/** Commands, keys of a keyboard and the like are the same in every language. */
function isCode(node: ts.Node): boolean {
  const parent = node.parent
  if (!ts.isJsxElement(parent)) return false
  return /^(Code|code|kbd|pre)$/.test(parent.openingElement.tagName.getText())
}

it('is itself able to tell a text from none', () => {
  expect(SAME.test('42 %')).toBe(true)
  expect(SAME.test('Calls')).toBe(false)
})
