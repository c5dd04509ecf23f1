import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Confinement,
  doorInside,
  type HostConfinement,
  type Launcher,
} from '../../../foundation/platform/processes/index.ts'
import { forwardModels } from './forward-models.ts'
import { insidePort, redirected } from './models-door.ts'

/** How a process is started that reaches the model gateway and nothing else. */
export interface ModelsOnly {
  readonly env: Readonly<Record<string, string>>
  readonly launcher: Launcher
  close(): Promise<void>
}

/**
 * Opens a way out of the bounds of a process: a socket that leads to the model gateway, and a program that begins inside and
 * leads there. Null where the rules do not ask for it or the host has no bubblewrap. The caller closes it after the process.
 * @throws network-unreachable
 */
export async function openConfinedModels(
  host: HostConfinement,
  rules: Confinement,
  env: Readonly<Record<string, string>>,
): Promise<ModelsOnly | null> {
  if (rules.mode === 'off' || rules.network !== 'models' || host.bubblewrap === null) return null
  const inside = redirected(env)
  // The path of a socket has room for a hundred bytes; that of an attempt may be longer.
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-door-'))
  const socket = join(folder, 'models')
  const server = createServer({ pauseOnConnect: true })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve))
  const forwarder = forwardModels(server, inside.gateway)
  return {
    env: inside.env,
    launcher: doorInside(socket, insidePort),
    async close() {
      await forwarder.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
