import type { Dimension } from '../../../../foundation/balancing/dimensions-contract.ts'
import type { Upstream } from './upstream.ts'

/** The names of the ORCA load report, as Envoy and gRPC have it, for the resources that the strategies count. */
const names: Readonly<Record<string, Dimension>> = {
  cpu: 'cpu',
  cpu_utilization: 'cpu',
  mem: 'memory',
  mem_utilization: 'memory',
  disk: 'disk',
  network: 'network',
}

/** Takes the load that an upstream reports: `endpoint-load-metrics: TEXT cpu_utilization=0.3,mem_utilization=0.8`. */
export function readLoad(header: string | string[] | undefined, upstream: Upstream): void {
  if (typeof header !== 'string' || !header.startsWith('TEXT ')) return
  const load: Partial<Record<Dimension, number>> = {}
  for (const part of header.slice(5, 1_000).split(',')) {
    const [name = '', text = ''] = part.split('=').map((word) => word.trim())
    const dimension = Object.hasOwn(names, name) ? names[name] : undefined
    const share = Number(text)
    if (dimension !== undefined && text !== '' && share >= 0 && share <= 1_000) load[dimension] = Math.min(1, share)
  }
  upstream.load = load
}
