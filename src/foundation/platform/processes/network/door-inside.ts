import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Launcher } from '../confinement/confine-command.ts'

const program = fileURLToPath(
  new URL(`./door-inside-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
)

/** Begins in a place without a network, and leads from a port of 127.0.0.1 there to a socket outside. @param socket its path */
export function doorInside(socket: string, port: number): Launcher {
  return {
    argv: [process.execPath, '--no-warnings', program, socket, String(port)],
    read: [process.execPath, program].map((path) => dirname(path)),
    write: [dirname(socket)],
  }
}
