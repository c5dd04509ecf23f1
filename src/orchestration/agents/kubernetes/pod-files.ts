import { mkdtemp, open, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import { LastLine } from '../last-line.ts'
import type { KubeClient } from './kube-client.ts'
import { kubeErrors } from './kube-errors.ts'
import { openExec } from './kube-exec.ts'
import { takeOver } from './take-over.ts'
import { packFolder } from './tar-pack.ts'
import { TarUnpacker } from './tar-unpack.ts'

export interface PodAddress {
  readonly client: KubeClient
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

export interface PodFolders {
  /** Holds the folders of the attempt; the same path on both sides. */
  readonly home: string
  readonly context: Pick<AttemptContext, 'workdir' | 'outdir' | 'tempdir'>
  /** For what is on its way. On the file system of `home`. */
  readonly staging: string
  readonly mostBytes: number
}

const mostEntries = 200_000
/** What a pipe of the pod takes at once. */
const sendBytes = 1_048_576

/**
 * Brings the folders of an attempt into a pod, without the link of git: its repository stays here.
 * @param then shell words that follow, once all is there
 */
export async function bringIn(pod: PodAddress, folders: PodFolders, then: string, signal: AbortSignal): Promise<void> {
  const { home, context, staging } = folders
  const folder = await mkdtemp(join(staging, 'pod-'))
  try {
    const file = await open(join(folder, 'in.tar'), 'w+', 0o600)
    try {
      const git = `${basename(context.workdir)}/.git`
      const bytes = await packFolder(home, file, (path) => path === git || path === 'workspace.json')
      // By count, because not every server can tell the other side that the input has ended.
      const script = `mkdir -p "$0" && head -c ${bytes} | tar -xf - -C "$0" && ${then}`
      await transfer(pod, ['sh', '-c', script, home], signal, async (write) => {
        const buffer = Buffer.allocUnsafe(sendBytes)
        for (let at = 0; at < bytes; ) {
          const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
          await write(Buffer.from(buffer.subarray(0, bytesRead)))
          at += bytesRead
        }
      })
    } finally {
      await file.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Makes the folders of the attempt what they have become in the pod. */
export async function fetchBack(pod: PodAddress, folders: PodFolders, signal: AbortSignal): Promise<void> {
  const { home, context, staging, mostBytes } = folders
  const folder = await mkdtemp(join(staging, 'pod-'))
  try {
    const unpacker = new TarUnpacker(folder, { bytes: mostBytes, entries: mostEntries })
    try {
      await transfer(pod, ['tar', '-cf', '-', '-C', home, '.'], signal, null, (chunk) => unpacker.write(chunk))
      await unpacker.end()
    } finally {
      await unpacker.close()
    }
    const { workdir, outdir, tempdir } = context
    await takeOver(join(folder, basename(workdir)), workdir, new Set(['.git']))
    await takeOver(join(folder, basename(outdir)), outdir)
    await takeOver(join(folder, basename(tempdir)), tempdir)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a program in the pod to its end. @throws pod-workspace unless it ends with 0 */
export async function transfer(
  { client, namespace, pod, container }: PodAddress,
  command: readonly string[],
  signal: AbortSignal,
  send: ((write: (bytes: Uint8Array) => Promise<void>) => Promise<void>) | null = null,
  onStdout: (chunk: Buffer) => void | Promise<void> = () => {},
): Promise<void> {
  const said = new LastLine()
  try {
    const running = await openExec(client, {
      ...{ namespace, pod, container, command, stdin: send !== null, onStdout, signal },
      onStderr: (chunk) => said.write(chunk),
    })
    // A side that ends early does not read on; its end says why.
    const sent =
      send === null ? Promise.resolve() : Promise.race([send((bytes) => running.write(bytes)), running.ended])
    await sent
    if (send !== null) running.endInput()
    const { exitCode, message } = await running.ended
    if (exitCode === 0) return
    throw kubeErrors['pod-workspace'](said.text === '' ? message : said.text)
  } catch (error) {
    signal.throwIfAborted()
    throw isAppError(error) ? error : kubeErrors['pod-workspace'](messageOf(error))
  }
}
