import type { ResourceUsage } from '../runners/exchange-contract.ts'

const none: ResourceUsage = { cpuSeconds: 0, maxRssBytes: null, wallSeconds: 0 }

/** What several runs of checks cost together. Pure. */
export function addCost(one: ResourceUsage | null, other: ResourceUsage): ResourceUsage {
  const { cpuSeconds, maxRssBytes, wallSeconds } = one ?? none
  return {
    cpuSeconds: cpuSeconds === null || other.cpuSeconds === null ? null : cpuSeconds + other.cpuSeconds,
    maxRssBytes: Math.max(maxRssBytes ?? 0, other.maxRssBytes ?? 0) || null,
    wallSeconds: wallSeconds + other.wallSeconds,
  }
}

/**
 * What each of those that land together has of the cost of their checks: the same part. The first, whose attempt took
 * `elapsedSeconds`, has what was not spent in checks besides; all of them together have what was used. Pure.
 */
export function shareCost(
  checks: ResourceUsage | null,
  members: number,
  elapsedSeconds: number,
): { readonly first: ResourceUsage; readonly others: ResourceUsage } {
  const { cpuSeconds, maxRssBytes, wallSeconds } = checks ?? none
  const others = {
    cpuSeconds: cpuSeconds === null ? null : cpuSeconds / members,
    maxRssBytes,
    wallSeconds: wallSeconds / members,
  }
  return { first: { ...others, wallSeconds: elapsedSeconds - others.wallSeconds * (members - 1) }, others }
}
