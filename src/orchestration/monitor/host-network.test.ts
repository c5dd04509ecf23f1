import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readNetwork } from './host-network.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'leanvibe-network-'))
})
afterEach(() => rmSync(root, { recursive: true }))
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  999999    10    0    0    0     0          0         0   999999    10    0    0    0     0       0          0
  eth0:    1000     1    0    0    0     0          0         0      500     1    0    0    0     0       0          0
 veth1:    7000     1    0    0    0     0          0         0     7000     1    0    0    0     0       0          0
`

test('real interfaces count, and what their links carry', async () => {
  write('proc/net/dev', dev)
  write('sys/class/net/eth0/device/vendor', 'x')
  write('sys/class/net/eth0/speed', '1000\n')
  write('sys/class/net/veth1/speed', '10000\n')
  expect(await readNetwork(root)).toEqual({ bytes: 1_500, capacity: 125_000_000 })
})

test('where none is real all but the loopback count; a link that does not say has no capacity', async () => {
  write('proc/net/dev', dev)
  write('sys/class/net/eth0/speed', '-1\n')
  expect(await readNetwork(root)).toEqual({ bytes: 15_500, capacity: null })
})

test('elsewhere nothing is known', async () => {
  expect(await readNetwork(root)).toBe(null)
})
