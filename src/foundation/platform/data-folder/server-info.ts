import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseWith, z } from '../../kernel/schema.ts'
import { folderError } from './data-folder-errors.ts'
import { findHolder } from './folder-lock.ts'

const schema = z.object({ pid: z.number().int().positive(), url: z.url(), tokenFile: z.string() })

/** How to reach the process that serves a data folder. */
export type ServerInfo = z.infer<typeof schema>

const pathOf = (folder: string) => join(folder, 'server.json')

/** Says in the folder, which the caller has locked, where this process serves it. */
export async function writeServerInfo(folder: string, info: ServerInfo): Promise<void> {
  const draft = join(folder, `.server-${randomUUID()}`)
  try {
    await writeFile(draft, `${JSON.stringify(info)}\n`, { mode: 0o600 })
    await rename(draft, pathOf(folder))
  } catch (error) {
    await rm(draft, { force: true })
    throw folderError(folder, error)
  }
}

export async function removeServerInfo(folder: string): Promise<void> {
  await rm(pathOf(folder), { force: true })
}

/** The server of the folder, or undefined if the process that holds the folder now has not said it serves. */
export async function readServerInfo(folder: string): Promise<ServerInfo | undefined> {
  const holder = await findHolder(folder)
  if (!holder) return undefined
  let text: string
  try {
    text = await readFile(pathOf(folder), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw folderError(folder, error)
  }
  const info = parseWith(schema, JSON.parse(text), pathOf(folder))
  return info.pid === holder.pid ? info : undefined
}
