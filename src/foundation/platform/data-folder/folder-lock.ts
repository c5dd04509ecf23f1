import { randomUUID } from 'node:crypto'
import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { dataFolderErrors, folderError } from './data-folder-errors.ts'
import { makeFolder } from './make-folder.ts'
import { readProcessIdentity } from './process-identity.ts'

export interface FolderLock {
  readonly folder: string
  /** Aborts when the lock has been taken over, after this machine was stopped for longer than the lease of another host. */
  readonly lost: AbortSignal
  /** Gives the folder free. Safe to call twice. */
  release(): Promise<void>
}

export interface Holder {
  readonly pid: number
  readonly host: string
}

interface LockContent extends Holder {
  readonly identity: string
  readonly nonce: string
  readonly released?: true
}

export interface FolderLockOptions {
  /** A lock of another host, whose processes cannot be looked up, counts as dead after so long without a touch. Default 60 000 ms. */
  readonly leaseMs?: number
}

const lockName = /^lock-(\d{1,15})$/

/**
 * Takes the folder for this process, making it if need be. The lock is the file `lock-N` with the highest N. Whoever
 * finds its process dead makes `lock-(N+1)`, which only one can, and a late-comer who made a lower one sees the higher
 * and starts over. So no lock is ever removed while it could still count.
 * Throws `data-folder-locked` with the pid of the holder in its details.
 */
export async function lockFolder(folder: string, { leaseMs = 60_000 }: FolderLockOptions = {}): Promise<FolderLock> {
  try {
    await makeFolder(folder)
    const nonce = randomUUID()
    for (;;) {
      const newest = await newestLock(folder)
      const holder = newest === 0 ? undefined : await readHolder(folder, newest, leaseMs)
      if (holder) throw lockedBy(folder, holder)
      if (await claim(folder, newest + 1, nonce)) return hold(folder, newest + 1, nonce, leaseMs)
    }
  } catch (error) {
    throw folderError(folder, error)
  }
}

/** The living process that has the folder, if any. */
export async function findHolder(
  folder: string,
  { leaseMs = 60_000 }: FolderLockOptions = {},
): Promise<Holder | undefined> {
  const newest = await newestLock(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return 0
    throw folderError(folder, error)
  })
  return newest === 0 ? undefined : readHolder(folder, newest, leaseMs)
}

/** Makes `lock-number`, whole from the start; false if another process was faster. */
async function claim(folder: string, number: number, nonce: string): Promise<boolean> {
  const path = join(folder, `lock-${number}`)
  const draft = join(folder, `.lock-${nonce}`)
  try {
    await writeFile(draft, JSON.stringify(await ownContent(nonce)), { mode: 0o600 })
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
  for (const other of await lockNumbers(folder)) {
    if (other > number) {
      await rm(path, { force: true })
      return false
    }
    if (other < number) await rm(join(folder, `lock-${other}`), { force: true })
  }
  return true
}

function hold(folder: string, number: number, nonce: string, leaseMs: number): FolderLock {
  const path = join(folder, `lock-${number}`)
  const lost = new AbortController()
  let released: Promise<void> | undefined

  async function touch(): Promise<void> {
    const now = new Date()
    try {
      await utimes(path, now, now)
      if ((await newestLock(folder)) > number) lost.abort()
    } catch (error) {
      // The file goes only when a newer one was made. Any other trouble passes or shows up in the work itself.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') lost.abort()
    }
  }

  const timer = setInterval(touch, leaseMs / 6)
  timer.unref()

  async function release(): Promise<void> {
    clearInterval(timer)
    if (lost.signal.aborted) return
    const draft = join(folder, `.lock-${nonce}`)
    await writeFile(draft, JSON.stringify({ ...(await ownContent(nonce)), released: true }), { mode: 0o600 })
    await rename(draft, path)
  }

  return {
    folder,
    lost: lost.signal,
    release() {
      // A folder that was removed meanwhile needs no release.
      released ??= release().catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw folderError(folder, error)
      })
      return released
    },
  }
}

async function ownContent(nonce: string): Promise<LockContent> {
  return { pid: process.pid, host: hostname(), identity: (await readProcessIdentity(process.pid)) ?? '', nonce }
}

/** Who holds lock number N, or undefined if that process is dead or has released it. */
async function readHolder(folder: string, number: number, leaseMs: number): Promise<Holder | undefined> {
  const path = join(folder, `lock-${number}`)
  try {
    const content = JSON.parse(await readFile(path, 'utf8')) as LockContent
    if (content.released) return undefined
    const holder = { pid: content.pid, host: content.host }
    if (content.host === hostname()) {
      return (await readProcessIdentity(content.pid)) === content.identity ? holder : undefined
    }
    return Date.now() - (await stat(path)).mtimeMs < leaseMs ? holder : undefined
  } catch (error) {
    // Gone between the listing and the reading, or cut short by a full disk: nobody holds it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

async function newestLock(folder: string): Promise<number> {
  return Math.max(0, ...(await lockNumbers(folder)))
}

async function lockNumbers(folder: string): Promise<readonly number[]> {
  return (await readdir(folder)).flatMap((name) => {
    const number = lockName.exec(name)?.[1]
    return number === undefined ? [] : [Number(number)]
  })
}

function lockedBy(folder: string, { pid, host }: Holder): Error {
  const who =
    host === hostname() ? (pid === process.pid ? 'this process' : `process ${pid}`) : `process ${pid} on ${host}`
  return dataFolderErrors['data-folder-locked'](`${folder} is in use by ${who}`, { details: { folder, pid, host } })
}
