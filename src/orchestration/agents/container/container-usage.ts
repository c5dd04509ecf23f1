/** What `stats` says of a container at one moment. Null: it does not say. */
export interface ContainerSample {
  /** Since its start. */
  readonly cpuSeconds: number | null
  /** Of one core: 1.5 is one and a half. */
  readonly cores: number | null
  readonly memoryBytes: number | null
}

const units: Readonly<Record<string, number>> = {
  ...{ B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 },
}

/** `614.4kB / 25.28GB`: the first of the two, in bytes. */
export function parseBytes(text: string): number | null {
  const match = /^\s*([\d.]+)\s*([kKMGT]?i?B)/.exec(text)
  const unit = match === null ? undefined : units[match[2]!.toUpperCase()]
  return match === null || unit === undefined ? null : Number(match[1]) * unit
}

/** `1m1.773s` as Go writes it, in seconds. */
export function parseGoDuration(text: string): number | null {
  const factors: Readonly<Record<string, number>> = { h: 3_600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, us: 1e-6, ns: 1e-9 }
  const parts = [...text.matchAll(/([\d.]+)(ms|µs|us|ns|h|m|s)/g)]
  if (parts.length === 0) return null
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * factors[unit!]!, 0)
}

/** What docker (`CPUPerc`, `MemUsage`) or podman (`cpu_time`, `mem_usage`) prints with `--format json`. */
export function parseStats(text: string): ContainerSample | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  const row = (Array.isArray(value) ? value[0] : value) as Readonly<Record<string, unknown>> | null | undefined
  if (typeof row !== 'object' || row === null) return null
  const word = (...names: string[]) => names.map((name) => row[name]).find((each) => typeof each === 'string') as string
  const cpu = Number.parseFloat(word('CPUPerc', 'cpu_percent') ?? '')
  return {
    cpuSeconds: parseGoDuration(word('cpu_time') ?? ''),
    cores: Number.isFinite(cpu) ? cpu / 100 : null,
    memoryBytes: parseBytes(word('MemUsage', 'mem_usage') ?? ''),
  }
}

/** Adds samples up: where only shares are told, CPU time is their sum over the time between. */
export class ContainerMeter {
  #cpuSeconds: number | null = null
  #mostBytes: number | null = null
  #at: number | null = null

  /** `now` in monotonic milliseconds. */
  add(sample: ContainerSample, now: number): void {
    const since = this.#at === null ? 0 : (now - this.#at) / 1_000
    this.#at = now
    if (sample.cpuSeconds !== null) this.#cpuSeconds = Math.max(this.#cpuSeconds ?? 0, sample.cpuSeconds)
    else if (sample.cores !== null) this.#cpuSeconds = (this.#cpuSeconds ?? 0) + sample.cores * since
    if (sample.memoryBytes !== null) this.#mostBytes = Math.max(this.#mostBytes ?? 0, sample.memoryBytes)
  }

  get cpuSeconds(): number | null {
    return this.#cpuSeconds
  }

  get mostBytes(): number | null {
    return this.#mostBytes
  }
}
