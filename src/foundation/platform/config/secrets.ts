import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { inspect, promisify } from 'node:util'
import { SecretMasker } from '../secrets/index.ts'
import { configErrors } from './config-errors.ts'
import type { SecretReference } from './config-schema.ts'
import type { Env } from './env.ts'

/** A value that shows itself only to `reveal`: logs, JSON and string templates get `[secret]`. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

/** What must not stand in a Config. */
export interface Secrets {
  readonly databaseUrl: Secret | null
  readonly databaseSystemUrl: Secret | null
  readonly databaseOwnerUrl: Secret | null
  readonly natsUrl: Secret | null
  /** The variables a pool passes on to its agents, with the values they have now; unset ones are left out. */
  environmentOf(variables: readonly string[]): Readonly<Record<string, Secret>>
  /** Names that `${{ secrets.NAME }}` may use. */
  readonly names: readonly string[]
  /** The value behind a declared name, read anew each time; what it gave is masked from then on. */
  read(name: string, signal?: AbortSignal): Promise<Secret>
  /** Replaces every secret value read so far by `***`. */
  mask(text: string): string
}

export function createSecrets(references: Readonly<Record<string, SecretReference>>, env: Env, root: string): Secrets {
  const values = new Set<string>()
  const keep = (value: string): Secret => {
    values.add(value)
    return new Secret(value)
  }
  const url = (value: string | null | undefined) => {
    if (value === null || value === undefined) return null
    // Errors of drivers quote parts of an address, not the whole.
    if (URL.canParse(value)) keep(decodeURIComponent(new URL(value).password))
    return keep(value)
  }
  return {
    databaseUrl: url(env.databaseUrl),
    databaseSystemUrl: url(env.settings.systemUrl),
    databaseOwnerUrl: url(env.settings.ownerUrl),
    natsUrl: url(env.natsUrl),
    environmentOf: (variables) =>
      Object.fromEntries(
        variables.flatMap((name) => {
          const value = env.variable(name)
          return value === undefined ? [] : [[name, keep(value)] as const]
        }),
      ),
    names: Object.keys(references),
    async read(name, signal) {
      const reference = references[name]
      if (reference === undefined) throw configErrors['secret-missing'](`the secret ${name} is not declared`)
      const value = await resolveReference(name, reference, env, root, signal)
      if (value === '') throw configErrors['secret-missing'](`the secret ${name} is empty`)
      return keep(value)
    },
    mask: (text) => new SecretMasker([...values]).text(text),
  }
}

async function resolveReference(
  name: string,
  reference: SecretReference,
  env: Env,
  root: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    if ('env' in reference) return env.variable(reference.env) ?? ''
    if ('file' in reference) return withoutLineEnd(await readFile(resolve(root, reference.file), 'utf8'))
    const [program, ...args] = reference.command
    const options = { cwd: root, timeout: 30_000, maxBuffer: 1_048_576, ...(signal === undefined ? {} : { signal }) }
    return withoutLineEnd((await promisify(execFile)(program!, args, options)).stdout)
  } catch (cause) {
    signal?.throwIfAborted()
    const how = 'file' in reference ? `its file ${reference.file} cannot be read` : 'its command failed'
    // The cause of a command carries what it printed, which may be the secret itself: it is not passed on.
    throw configErrors['secret-missing'](`the secret ${name}: ${how}`, 'file' in reference ? { cause } : {})
  }
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}
