import { z } from '../../kernel/schema.ts'
import { sizeSchema } from './config-units.ts'

const name = z.string().regex(/^[\w][\w.-]{0,127}$/, 'expected letters, digits and _ . -')
const absolute = z.string().regex(/^\/[^:,\0]*$/, 'expected an absolute path without : and ,')

/** Settings of agents that run in containers of this machine. */
export const containerSchema = z.strictObject({
  /** Where everything is that the agent needs; the worktree is mounted into it. */
  image: z.string().regex(/^[a-zA-Z0-9][^\s\0]{0,499}$/, 'expected the name of an image'),
  /** `docker`, `podman`, or the path of a program that takes the same arguments. Default: the first that works here. */
  cli: z
    .string()
    .regex(/^(?:docker|podman|\/.+)$/, 'expected docker, podman or an absolute path')
    .optional(),
  /** The OCI runtime, such as `runsc` or `kata`. Default: that of the CLI. */
  runtime: name.optional(),
  /** Default `none`. `models`: none but a way to the model gateway. Else the name of a network. */
  network: name.optional(),
  /** Whether an image that is not here is fetched. Default `missing`. */
  pull: z.enum(['never', 'missing', 'always']).optional(),
  /** Cores. Default 2. */
  cpus: z.number().positive().max(1_024).optional(),
  /** Default 4GB. Swap is not given besides. */
  memory: sizeSchema.optional(),
  /** Processes and threads. Default 512. */
  pids: z.int().min(1).max(100_000).optional(),
  /** What /tmp may hold, in memory. Default 256MB. */
  tmp: sizeSchema.optional(),
  /** Nothing of the image can be written. Default false: what is written goes with the container. */
  readOnly: z.boolean().optional(),
  /** `UID:GID`, not 0. Default: who runs LeanVibe, or 10001 where that is root. */
  user: z
    .string()
    .regex(/^[1-9]\d{0,9}:[1-9]\d{0,9}$/, 'expected UID:GID in numbers, neither of them 0')
    .optional(),
  /** Folders of this machine besides the worktree; to read, unless `write` says otherwise. */
  mounts: z
    .array(z.strictObject({ from: z.string().min(1), to: absolute.optional(), write: z.boolean().optional() }))
    .max(32)
    .optional(),
  /** The repository's git folder, to read, so that `git log` and `git diff` work. Default false. */
  git: z.boolean().optional(),
})
export type ContainerFile = z.output<typeof containerSchema>

/** No network, but a way to the model gateway. */
export const modelsNetwork = 'models'

export interface ContainerMount {
  /** As the file has it: relative to the project, `~` for the home folder. */
  readonly from: string
  /** Null: where it is on the host. */
  readonly to: string | null
  readonly write: boolean
}

export interface ContainerSettings {
  readonly kind: 'container'
  readonly image: string
  /** Null: the first that works here. */
  readonly cli: string | null
  readonly runtime: string | null
  readonly network: string
  readonly pull: 'never' | 'missing' | 'always'
  readonly cpus: number
  readonly memoryBytes: number
  readonly pids: number
  readonly tmpBytes: number
  readonly readOnly: boolean
  readonly user: string | null
  readonly mounts: readonly ContainerMount[]
  readonly git: boolean
}

export function shapeContainer(file: ContainerFile): ContainerSettings {
  return {
    kind: 'container',
    image: file.image,
    cli: file.cli ?? null,
    runtime: file.runtime ?? null,
    network: file.network ?? 'none',
    pull: file.pull ?? 'missing',
    cpus: file.cpus ?? 2,
    memoryBytes: file.memory ?? 4 * 2 ** 30,
    pids: file.pids ?? 512,
    tmpBytes: file.tmp ?? 256 * 2 ** 20,
    readOnly: file.readOnly ?? false,
    user: file.user ?? null,
    mounts: (file.mounts ?? []).map(({ from, to, write }) => ({ from, to: to ?? null, write: write ?? false })),
    git: file.git ?? false,
  }
}
