import { resolve } from 'node:path'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import type { Supervisor } from '../foundation/platform/processes/index.ts'
import { type ContainerCli, findCli } from '../orchestration/agents/container/container-cli.ts'
import { openContainers } from '../orchestration/agents/container/container-place.ts'
import { findLeftContainers, removeLeftContainers } from '../orchestration/agents/container/sweep-containers.ts'
import { KubeClient } from '../orchestration/agents/kubernetes/kube-client.ts'
import { type KubeAccess, readKubeAccess } from '../orchestration/agents/kubernetes/kube-config.ts'
import { openKubernetes } from '../orchestration/agents/kubernetes/open-kubernetes.ts'
import { findLeftObjects, removeLeftObjects } from '../orchestration/agents/kubernetes/sweep-kubernetes.ts'
import type { OpenPlace } from '../orchestration/agents/places/place.ts'

/** Where the agents of one pool run, if not on the host. */
export interface AgentPlaces {
  readonly open: OpenPlace
  close(): Promise<void>
}

/** How long a sweep may take. */
const sweepMs = 20_000

/** Null for pools whose agents are processes of the host, or nothing of ours. */
export function openAgentPlaces(pool: PoolConfig, loaded: LoadedConfig, supervisor: Supervisor): AgentPlaces | null {
  const { config, env } = loaded
  const { place } = pool
  if (place === null) return null
  if (place.kind === 'kubernetes') {
    const access = () => kubeAccessOf(pool, loaded)
    return openKubernetes({ pool: pool.name, settings: place, dataFolder: config.dataFolder, access })
  }
  const at = (path: string) =>
    resolve(config.project.root, env.homeFolder === null ? path : path.replace(/^~(?=\/|$)/, env.homeFolder))
  const mounts = place.mounts.map(({ from, to, write }) => ({ from: at(from), to: to ?? at(from), write }))
  const cli = () => findCli(place.cli, (name) => env.variable(name))
  const open = openContainers({
    ...{ pool: pool.name, settings: place, supervisor, dataFolder: config.dataFolder, mounts, cli },
  })
  return { open, close: async () => {} }
}

/** @throws kube-config-invalid */
export async function kubeAccessOf({ place }: PoolConfig, { env, config }: LoadedConfig): Promise<KubeAccess> {
  if (place?.kind !== 'kubernetes') throw new Error('the pool is in no cluster')
  const { context, namespace } = place
  const kubeconfig = place.kubeconfig === null ? null : resolve(config.project.root, place.kubeconfig)
  return readKubeAccess({
    ...{ kubeconfig, context, namespace, home: env.homeFolder },
    variable: (name) => env.variable(name),
  })
}

/** What crashes have left of the configured pools in containers and clusters, by its name. */
export interface PlaceLeftovers {
  readonly names: readonly string[]
  /** Why nobody could look, a line each. */
  readonly unknown: readonly string[]
}

/** @param remove ends it as well */
export async function sweepPlaces(loaded: LoadedConfig, remove: boolean): Promise<PlaceLeftovers> {
  const { dataFolder } = loaded.config
  const names = new Set<string>()
  const unknown = new Set<string>()
  const look = async (where: string, work: () => Promise<readonly { readonly name: string }[]>) => {
    try {
      for (const { name } of await work()) names.add(name)
    } catch (error) {
      // Whoever cannot be asked today is asked at the next start; its own deadlines hold meanwhile.
      unknown.add(`${where}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  for (const pool of loaded.config.pools) {
    const { place } = pool
    if (place?.kind === 'container')
      await look(pool.name, async () => {
        const cli: ContainerCli = await findCli(place.cli, (name) => loaded.env.variable(name))
        return remove ? removeLeftContainers(cli, dataFolder) : findLeftContainers(cli, dataFolder)
      })
    if (place?.kind === 'kubernetes')
      await look(pool.name, async () => {
        const access = await kubeAccessOf(pool, loaded)
        const client = new KubeClient({ access, tries: 2, timeoutMs: 5_000 })
        const sweep = remove ? removeLeftObjects : findLeftObjects
        try {
          return await sweep(client, access.namespace, dataFolder, AbortSignal.timeout(sweepMs))
        } finally {
          await client.close()
        }
      })
  }
  return { names: [...names], unknown: [...unknown] }
}
