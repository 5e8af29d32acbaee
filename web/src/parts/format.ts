import i18next from 'i18next'
import { language } from '@/i18n'

const locale = () => (language() === 'zh' ? 'zh-CN' : 'en')
const cache = new Map<string, Intl.NumberFormat>()

function numbers(name: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale()} ${name}`
  const kept = cache.get(key) ?? new Intl.NumberFormat(locale(), options)
  cache.set(key, kept)
  return kept
}

/** 214,380 */
export const count = (value: number) => numbers('count', { maximumFractionDigits: 0 }).format(value)

/** Keeps a figure and its unit on one line. */
const TIED = '\u00a0'

function compact(value: number): string {
  const format = numbers('short', { notation: 'compact', maximumSignificantDigits: 3 })
  const parts = format.formatToParts(value)
  const unit = parts.find((part) => part.type === 'compact')?.value ?? ''
  const figure = parts.filter((part) => !['compact', 'literal'].includes(part.type))
  const text = figure.map((part) => part.value).join('')
  return unit ? `${text}${TIED}${unit === 'K' ? 'k' : unit}` : text
}

/** 9.84 B, 98.4 亿: for what is too large to read. */
export const short = (value: number) => (Math.abs(value) < 10_000 ? count(value) : compact(value))

/** $6,218.40, or four places under ten cents. */
export function money(usd: number): string {
  const fine = usd !== 0 && Math.abs(usd) < 0.1
  const places = fine ? 4 : 2
  const text = numbers(`money${places}`, {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  }).format(Math.abs(usd))
  return `${usd < 0 ? '−' : ''}$${text}`
}

/** $1.2 k: for axes. */
export const shortMoney = (usd: number) =>
  Math.abs(usd) < 1_000
    ? `$${numbers('axis', { maximumSignificantDigits: 3 }).format(usd)}`
    : `$${short(usd)}`

/** 99.7%, from 99.7 */
export const percent = (value: number, places = 1) =>
  `${numbers(`percent${places}`, { maximumFractionDigits: places }).format(value)}%`

/** 1.31 s, 320 ms, 2 min 5 s */
export function duration(millis: number): string {
  const t = i18next.getFixedT(null, 'common')
  if (millis < 1_000) return t('time.ms', { value: count(millis) })
  const seconds = millis / 1_000
  if (seconds < 60) {
    return t('time.s', {
      value: numbers('seconds', { maximumSignificantDigits: 3 }).format(seconds),
    })
  }
  return span(seconds)
}

/** 10 h 22 min, 3 d 4 h: the two largest parts. */
export function span(seconds: number): string {
  const t = i18next.getFixedT(null, 'common')
  const whole = Math.max(0, Math.round(seconds))
  const parts: [string, number][] = [
    ['d', Math.floor(whole / 86_400)],
    ['h', Math.floor(whole / 3_600) % 24],
    ['min', Math.floor(whole / 60) % 60],
    ['s', whole % 60],
  ]
  const first = parts.findIndex(([, value]) => value > 0)
  if (first < 0) return t('time.s', { value: 0 })
  const shown = parts.slice(first, first + 2).filter(([, value]) => value > 0)
  return shown.map(([unit, value]) => t(`time.${unit}`, { value })).join(' ')
}

/** "12 s ago", "in 3 d 4 h". */
export function ago(at: string, now = Date.now()): string {
  const t = i18next.getFixedT(null, 'common')
  const seconds = (now - Date.parse(at)) / 1_000
  if (Math.abs(seconds) < 1) return t('time.now')
  const most = largest(Math.abs(seconds))
  return seconds > 0 ? t('time.ago', { value: most }) : t('time.in', { value: span(-seconds) })
}

const largest = (seconds: number) => {
  const unit = seconds >= 86_400 ? 86_400 : seconds >= 3_600 ? 3_600 : seconds >= 60 ? 60 : 1
  return span(Math.floor(seconds / unit) * unit)
}

const moments = (options: Intl.DateTimeFormatOptions, zone?: string) =>
  new Intl.DateTimeFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', {
    ...options,
    timeZone: zone,
    hourCycle: 'h23',
  })

/** 14:05, or 26 Nov 18:00 if it is of another day; in the viewer's zone. */
export function moment(at: string, zone?: string): string {
  const date = new Date(at)
  const isToday = date.toDateString() === new Date().toDateString()
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' }
  const thisYear = date.getFullYear() === new Date().getFullYear()
  const day: Intl.DateTimeFormatOptions = {
    day: 'numeric',
    month: 'short',
    year: thisYear ? undefined : 'numeric',
  }
  return moments(isToday ? time : { ...day, ...time }, zone).format(date)
}

/** 26 Nov 2026, 18:00:09: the whole of it, for who asks. */
export const exactMoment = (at: string, zone?: string) =>
  moments({ dateStyle: 'medium', timeStyle: 'medium' }, zone).format(new Date(at))

/** 26 Nov */
export const day = (at: string, zone?: string) =>
  moments({ day: 'numeric', month: 'short' }, zone).format(new Date(at))

/** Thursday 26 Nov */
export const longDay = (at: string, zone?: string) =>
  moments({ weekday: 'long', day: 'numeric', month: 'short' }, zone).format(new Date(at))

/** 14:05:12, or 26 Nov 18:00 if it is of another day: where seconds tell lines apart. */
export const clock = (at: string) =>
  new Date(at).toDateString() === new Date().toDateString()
    ? moments({ timeStyle: 'medium' }).format(new Date(at))
    : moment(at)

/** 14:00 */
export const hour = (at: string, zone?: string) =>
  moments({ hour: '2-digit', minute: '2-digit' }, zone).format(new Date(at))
