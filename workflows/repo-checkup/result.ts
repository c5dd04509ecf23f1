/** One thing a maintainer should know, ready to print. */
export interface Finding {
  /** `step/what`, stable across runs. */
  readonly id: string
  /** 0 to 100; 90 and above is critical, 70 high, 40 medium, the rest low. The report ranks by it. */
  readonly score: number
  readonly title: string
  readonly why: string
  readonly next: string
  /** Up to ten short lines: file, line, count. */
  readonly evidence: readonly string[]
}

/** What every step prints on standard output: one line of JSON, at most 60 kB. */
export interface StepResult<Facts = unknown> {
  readonly step: string
  readonly schema: 1
  readonly commit: string | null
  /** Null when the repository has no commits. */
  readonly facts: Facts | null
  readonly findings: readonly Finding[]
  /** What was sampled, bounded or not seen; plain sentences. */
  readonly limits: readonly string[]
  /** Files written below --out, relative to it. */
  readonly artifacts: readonly string[]
  readonly tookMs: number
}

export type Severity = 'critical' | 'high' | 'medium' | 'low'

export function severityOf(score: number): Severity {
  if (score >= 90) return 'critical'
  if (score >= 70) return 'high'
  return score >= 40 ? 'medium' : 'low'
}

/** `3 files`, `1 file`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : many}`
}

/** `12 %`, `0.4 %`, `<0.1 %`. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '0 %'
  const share = (part / whole) * 100
  if (share > 0 && share < 0.1) return '<0.1 %'
  return `${share >= 10 || Number.isInteger(share) ? Math.round(share) : share.toFixed(1)} %`
}

/** `4.2 MB`; decimal units. */
export function showSize(bytes: number): string {
  for (const [unit, factor] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(bytes >= 100 * factor ? 0 : 1)} ${unit}`
  }
  return `${bytes} B`
}

/** `2026-08-14`, from seconds since 1970. */
export function showDay(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? 'unknown date' : date.toISOString().slice(0, 10)
}
