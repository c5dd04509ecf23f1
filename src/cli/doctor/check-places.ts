import { kubeAccessOf } from '../../app/agent-places.ts'
import { tryContainers, tryKubernetes } from '../../app/try-places.ts'
import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import type { Check } from './check.ts'

/** Whether the containers and clusters that pools name can be had, and what they enforce. */
export async function checkPlaces(loaded: LoadedConfig): Promise<readonly Check[]> {
  const { pools } = loaded.config
  const checks: Check[] = []
  const wanted = pools.filter(({ place }) => place?.kind === 'container')
  checks.push(await checkContainers(loaded, wanted))
  for (const pool of pools) if (pool.place?.kind === 'kubernetes') checks.push(await checkCluster(loaded, pool))
  return checks
}

async function checkContainers(loaded: LoadedConfig, wanted: readonly PoolConfig[]): Promise<Check> {
  const names = [...new Set(wanted.map(({ place }) => (place?.kind === 'container' ? place.cli : null)))]
  const trials = await tryContainers(loaded, names.length === 0 ? [null] : names)
  const works = trials.filter(({ cli }) => cli !== null)
  const told = works.map(({ name, cli }) => `${name} ${cli!.version}${cli!.rootless ? ' (rootless)' : ''}`)
  const problems = trials.filter(({ cli }) => cli === null).map(({ name, problem }) => `${name}: ${problem}`)
  const name = 'containers'
  if (works.length > 0) {
    return {
      ...{ name, status: 'ok' },
      detail: `${told.join(', ')}: agents in them have their worktree, no network, no rights, and limits kept by the kernel`,
    }
  }
  const detail = problems.join('; ')
  if (wanted.length === 0) return { name, status: 'note', detail }
  return { name, status: 'bad', detail, next: 'install podman, or start the Docker daemon' }
}

async function checkCluster(loaded: LoadedConfig, pool: PoolConfig): Promise<Check> {
  const name = `cluster of ${pool.name}`
  try {
    const access = await kubeAccessOf(pool, loaded)
    const { version, missing } = await tryKubernetes(access)
    const detail = `Kubernetes ${version}, namespace ${access.namespace}, by ${access.source}`
    if (missing.length === 0) return { name, status: 'ok', detail }
    return {
      ...{ name, status: 'bad', detail: `${detail}; it may not ${missing.join(', ')}` },
      next: 'give the account the rights that docs/guides/containers.md lists',
    }
  } catch (error) {
    if (!isAppError(error)) throw error
    return { name, status: 'bad', detail: messageOf(error), next: error.next }
  }
}
