import { closeSync, constants, openSync, unlinkSync } from 'node:fs'
import type { SpawnRequest } from './supervisor-protocol.ts'

/**
 * Opens what a command will read and write. Output goes through named pipes, straight to the runner: no copying here,
 * and unlike the socket pairs that Node makes they can be opened again, so that `echo x > /dev/stderr` works.
 */
export function openChildFiles(request: SpawnRequest) {
  const opened: number[] = []
  const open = (path: string, flags: number) => {
    const file = openSync(path, flags)
    opened.push(file)
    return file
  }
  const close = () => {
    for (const file of opened) closeSync(file)
  }
  try {
    const stdin: number | 'ignore' = request.stdin === null ? 'ignore' : open(request.stdin, constants.O_RDONLY)
    const stdout = openPipe(request.stdout, open)
    const stderr = openPipe(request.stderr, open)
    for (const path of [request.stdin, request.stdout, request.stderr]) if (path !== null) unlinkSync(path)
    return { stdin, stdout, stderr, close }
  } catch (error) {
    close()
    throw error
  }
}

/** Without a reader the opening of a writing end waits for one; the runner may just have died, so one is made for the moment. */
function openPipe(path: string, open: (path: string, flags: number) => number): number {
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return open(path, constants.O_WRONLY)
  } finally {
    closeSync(reader)
  }
}
