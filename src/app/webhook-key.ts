import { createHash, randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSigningKeys, type SigningKeys } from '../external-api/webhooks/index.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { folderError } from '../foundation/platform/data-folder/data-folder-errors.ts'

/** Replicas must sign alike: under this name they are given one key. */
const secretName = 'WEBHOOK_KEY'

/**
 * The key from which the secrets of webhooks follow: the configured secret WEBHOOK_KEY, of any form, or 32 random bytes
 * that are kept in the data folder, readable by its owner alone.
 */
export async function loadSigningKeys({ config, secrets }: LoadedConfig): Promise<SigningKeys> {
  if (secrets.names.includes(secretName)) {
    const text = (await secrets.read(secretName)).reveal()
    return createSigningKeys(createHash('sha256').update(text).digest())
  }
  const path = join(config.dataFolder, 'webhook-key')
  try {
    return createSigningKeys(Buffer.from(await readOrMake(path), 'base64'))
  } catch (error) {
    throw folderError(config.dataFolder, error)
  }
}

async function readOrMake(path: string): Promise<string> {
  const present = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (present !== null) return present.trim()
  // Linked into place when it is whole: a crash leaves no half key, and of two processes one makes it.
  const temporary = `${path}.${process.pid}.new`
  await writeFile(temporary, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  try {
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(temporary, { force: true })
  }
  return (await readFile(path, 'utf8')).trim()
}
