import { inject } from 'vitest'
import { arePeersInstalled } from './install-peers.ts'

/** Whether the tests here run: where the programs are installed (`npm run test:peers` does that), and always under CI. */
export const peersThere = arePeersInstalled() || Boolean(process.env.CI)

/** For `beforeAll(preparePeers, preparePeersMs)`: the first to ask waits until they are installed. */
export async function preparePeers(): Promise<void> {
  const response = await fetch(new URL('/peers', inject('testDatabases')))
  if (!response.ok) throw new Error(await response.text())
}

export const preparePeersMs = 420_000
