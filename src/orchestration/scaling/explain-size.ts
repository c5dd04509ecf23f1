import type { PoolSizeView } from './scaling-contract.ts'

/** Where agents of a pool can be started. */
export interface HostReading {
  readonly runnerId: string
  readonly host: string
  /** Agents there; null: the process sees to it itself, and does not tell. */
  readonly present: number | null
  readonly most: number
}

export interface SizeReading {
  readonly desired: number | null
  readonly agents: number
  readonly leaving: number
}

/** What stands between the size that a pool should have and the one it has. */
export function explainSize({ desired, agents, leaving }: SizeReading, hosts: readonly HostReading[]): PoolSizeView {
  const missing = desired === null ? 0 : Math.max(0, desired - agents)
  const notes: string[] = []
  if (missing > 0) notes.push(`${missing} of ${desired} missing: ${whyMissing(hosts)}`)
  if (leaving > 0) notes.push(`${leaving} on the way out: they take nothing new, finish what they have, and go`)
  return {
    ...{ desired, agents, missing, leaving, notes },
    hosts: hosts.map(({ runnerId, host, present, most }) => ({ runner: runnerId, host, agents: present, most })),
  }
}

function whyMissing(hosts: readonly HostReading[]): string {
  if (hosts.length === 0)
    return 'nobody is there who could start them: no server and no runner that is heard of has the pool in its leanvibe.yaml'
  const own = hosts.filter(({ present }) => present === null)
  const free = hosts.filter(({ present, most }) => present !== null && present < most)
  const told = hosts.length - own.length
  if (free.length > 0 || own.length > 0) {
    const names = [...own, ...free].slice(0, 3).map(({ host }) => host)
    return `they are being started on ${names.join(', ')}${own.length + free.length > 3 ? ' and others' : ''}, unless what starts there fails: see its log`
  }
  const full = hosts.slice(0, 3).map(({ host, present, most }) => `${host} has ${present} of ${most}`)
  return `the ${told === 1 ? 'runner' : `${told} runners`} that could start them ${told === 1 ? 'is' : 'are'} full: ${full.join(', ')}; more slots, or more runners, would help`
}
