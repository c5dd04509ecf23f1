import { type ContainerFile, type ContainerSettings, shapeContainer } from './container-settings.ts'
import {
  faultsOfKubernetes,
  type KubernetesFile,
  type KubernetesSettings,
  shapeKubernetes,
} from './kubernetes-settings.ts'

/** Kinds whose agents run elsewhere than on the host. What they are there, a command or one that is talked to, is said beside. */
export const placeKinds = ['container', 'kubernetes'] as const

export type PlaceSettings = ContainerSettings | KubernetesSettings

export function shapePlace(
  kind: string,
  pool: {
    readonly container?: ContainerFile | undefined
    readonly kubernetes?: KubernetesFile | undefined
    readonly confine?: unknown
  },
  complain: (place: readonly string[], text: string) => void,
): PlaceSettings | null {
  const isPlaced = kind === 'container' || kind === 'kubernetes'
  if (isPlaced && pool.confine !== undefined)
    complain(['confine'], `bounds of the host; agents of the kind ${kind} have those of their settings in \`${kind}\``)
  if (isPlaced && pool[kind] === undefined) complain([], `expected \`${kind}\`: its image, for one`)
  if (kind === 'container') return pool.container === undefined ? null : shapeContainer(pool.container)
  if (kind !== 'kubernetes' || pool.kubernetes === undefined) return null
  for (const { field, text } of faultsOfKubernetes(pool.kubernetes)) complain(['kubernetes', field], text)
  return shapeKubernetes(pool.kubernetes)
}
