import { defineErrors } from './errors.ts'

const errors = defineErrors({
  'bad-unit': {
    kind: 'input',
    retry: 'never',
    when: 'a duration or size is not written as a number with a unit',
    next: 'write durations as 500ms, 30s, 5m, 2h or 1d, sizes as 512KB, 64MB or 2GB',
  },
})

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const bytes: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 }

/** Milliseconds of `30s`, `5m`, `1h30m`; a bare number is refused, because its unit would be a guess. */
export function parseDuration(text: string): number {
  return parseUnits(text, milliseconds, 'duration')
}

/** Bytes of `512KB`, `2GB` (powers of 1024). */
export function parseSize(text: string): number {
  return parseUnits(text, bytes, 'size')
}

function parseUnits(text: string, units: Readonly<Record<string, number>>, what: string): number {
  const pattern = /(\d+(?:\.\d+)?)\s*([a-zA-Z]+)/gy
  let total = 0
  let end = 0
  const trimmed = text.trim()
  for (const match of trimmed.matchAll(pattern)) {
    const factor = units[(match[2] ?? '').toLowerCase()]
    if (factor === undefined)
      throw errors['bad-unit'](`${what} ${JSON.stringify(text)} has the unknown unit ${match[2]}`)
    total += Number(match[1]) * factor
    end = match.index + match[0].length
  }
  if (end === 0 || end !== trimmed.length) throw errors['bad-unit'](`${JSON.stringify(text)} is not a ${what}`)
  return Math.round(total)
}

/** `1h 5m`, `3.2s`, `40ms`: at most two units, for people. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes}m ${Math.round((ms % 60_000) / 1_000)}s`
  return `${Math.floor(minutes / 60)}h ${minutes % 60}m`
}
