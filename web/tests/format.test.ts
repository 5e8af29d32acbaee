// Numbers, amounts and times as people read them, in both languages.
import i18next from 'i18next'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { address } from '../src/api/client'
import en from '../src/i18n/en/common.json'
import zh from '../src/i18n/zh/common.json'
import { ago, count, duration, money, percent, short, shortMoney, span } from '../src/parts/format'

/** A space that does not break is a space for who reads. */
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ')

beforeAll(() =>
  i18next.init({
    lng: 'en',
    fallbackLng: false,
    resources: { en: { common: en }, zh: { common: zh } },
    interpolation: { escapeValue: false },
    showSupportNotice: false,
  }),
)
afterAll(() => i18next.changeLanguage('en'))

describe('in English', () => {
  beforeAll(() => i18next.changeLanguage('en'))

  it('large numbers are short, and small ones whole', () => {
    expect(plain(short(9_840_000_000))).toBe('9.84 B')
    expect(plain(short(702_100_000))).toBe('702 M')
    expect(plain(short(61_200))).toBe('61.2 k')
    expect(short(9_999)).toBe('9,999')
    expect(count(214_380)).toBe('214,380')
  })

  it('amounts have four places under ten cents, and two from there on', () => {
    expect(money(0.05921)).toBe('$0.0592')
    expect(money(0.1)).toBe('$0.10')
    expect(money(6218.4)).toBe('$6,218.40')
    expect(money(0)).toBe('$0.00')
    expect(money(-1.5)).toBe('−$1.50')
    expect(plain(shortMoney(12_000))).toBe('$12 k')
  })

  it('times name their two largest units', () => {
    expect(duration(320)).toBe('320 ms')
    expect(duration(1_310)).toBe('1.31 s')
    expect(duration(125_000)).toBe('2 min 5 s')
    expect(span(37_320)).toBe('10 h 22 min')
    expect(span(0)).toBe('0 s')
    const now = Date.parse('2026-11-24T12:00:00Z')
    expect(ago('2026-11-24T11:59:48Z', now)).toBe('12 s ago')
    expect(ago('2026-11-24T08:59:00Z', now)).toBe('3 h ago')
    expect(ago('2026-11-24T22:22:00Z', now)).toBe('in 10 h 22 min')
  })

  it('shares have one place', () => {
    expect(percent(99.71)).toBe('99.7%')
    expect(percent(47.2, 0)).toBe('47%')
  })
})

describe('in Chinese', () => {
  beforeAll(() => i18next.changeLanguage('zh'))

  it('large numbers go by ten thousands', () => {
    expect(plain(short(9_840_000_000))).toBe('98.4 亿')
    expect(plain(short(1_200_000))).toBe('120 万')
  })

  it('times are Chinese', () => {
    expect(span(37_320)).toBe('10 小时 22 分钟')
    const now = Date.parse('2026-11-24T12:00:00Z')
    expect(ago('2026-11-24T11:56:00Z', now)).toBe('4 分钟前')
  })
})

describe('an address', () => {
  it('carries what is asked, and nothing that is empty', () => {
    const asked = { q: 'a b', state: '', page: 2, tag: ['ci', 'web'], sort: undefined, by: null }
    expect(address('/admin/keys', asked)).toBe('/admin/keys?q=a+b&page=2&tag=ci&tag=web')
    expect(address('/admin/keys')).toBe('/admin/keys')
  })
})
