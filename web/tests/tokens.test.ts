// Colours that everybody can read and tell apart.
import { describe, expect, it } from 'vitest'
import { dark, light, SERIES, type Token } from '../src/theme/tokens'

type Rgb = [number, number, number]

const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as Rgb

const luminance = (hex: string) => {
  const [r, g, b] = linear(hex)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

const contrast = (one: string, other: string) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

// How people with one kind of cone missing see linear colours: Machado, Oliveira and Fernandes 2009, full strength.
const SIGHTS: Record<string, number[]> = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protan: [
    0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998,
  ],
  deutan: [
    0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881,
  ],
  tritan: [
    1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039,
  ],
}

const seen = (rgb: Rgb, by: number[]): Rgb =>
  [0, 3, 6].map((row) => {
    const sum = rgb.reduce((all, part, at) => all + part * (by[row + at] as number), 0)
    return Math.min(1, Math.max(0, sum))
  }) as Rgb

// Björn Ottosson's OKLab.
const oklab = ([r, g, b]: Rgb): Rgb => {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

const apart = (one: string, other: string, by: number[]) => {
  const [a, b] = [one, other].map((hex) => oklab(seen(linear(hex), by))) as [Rgb, Rgb]
  return 100 * Math.hypot(...a.map((part, at) => part - (b[at] as number)))
}

const SCHEMES = { light, dark } as Record<string, Record<Token, string>>
const GROUNDS: Token[] = ['bg', 'side', 'sunk', 'hover', 'raised']
const TEXTS: Token[] = [
  'ink',
  'ink-2',
  'ink-3',
  'accent-text',
  'able',
  'resting',
  'failing',
  'paused',
]

describe.each(Object.entries(SCHEMES))('in %s', (_, tokens) => {
  it('every text can be read on every ground', () => {
    for (const text of TEXTS) {
      for (const ground of GROUNDS) {
        const ratio = contrast(tokens[text], tokens[ground])
        expect(ratio, `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5)
      }
    }
    expect(contrast(tokens.failing, tokens['failing-soft'])).toBeGreaterThanOrEqual(4.5)
    expect(contrast(tokens.resting, tokens['resting-soft'])).toBeGreaterThanOrEqual(4.5)
  })

  it('series stand out from the ground, and from each other for every eye', () => {
    const all = [...SERIES, 'series-others'] as Token[]
    for (const series of SERIES) {
      expect(contrast(tokens[series], tokens.bg), series).toBeGreaterThanOrEqual(3)
    }
    for (const [sight, matrix] of Object.entries(SIGHTS)) {
      for (const one of all) {
        for (const other of all.filter((it) => it !== one)) {
          expect(
            apart(tokens[one], tokens[other], matrix),
            `${one} ${other} ${sight}`,
          ).toBeGreaterThanOrEqual(12.5)
        }
      }
    }
  })
})
