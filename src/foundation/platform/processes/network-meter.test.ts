import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type ProcessLimits, Supervisor } from './index.ts'
import { bytesIn, NetworkMeter, type NetworkSource } from './network-meter.ts'

const entry = (pid: number, start = '1') => ({ pid, start })

/** The networks of processes, and what each has carried. */
function host(networks: Record<number, string | null>, bytes: Record<string, number>): NetworkSource {
  return {
    networkOf: (pid) => (pid === 'self' ? 'net:[1]' : (networks[pid] ?? null)),
    bytesOf: (pid) => bytes[networks[pid] ?? ''] ?? null,
  }
}

describe('what a process tree carries', () => {
  test('is not known where it lives in the network of the host, or nobody tells', () => {
    const meter = new NetworkMeter(host({ 7: 'net:[1]', 8: null }, { 'net:[1]': 500 }))
    meter.sample([entry(7), entry(8)])
    expect(meter.bytes).toBe(null)
    const elsewhere = new NetworkMeter({ networkOf: () => null, bytesOf: () => 5 })
    elsewhere.sample([entry(7)])
    expect(elsewhere.bytes).toBe(null)
  })

  test('is that of its own networks, each once, also after their processes have ended', () => {
    const networks: Record<number, string> = { 7: 'net:[1]', 8: 'net:[2]', 9: 'net:[2]', 10: 'net:[3]' }
    const bytes = { 'net:[2]': 0, 'net:[3]': 40 }
    const meter = new NetworkMeter(host(networks, bytes))
    meter.sample([entry(7), entry(8), entry(9), entry(10)])
    expect(meter.bytes).toBe(40)
    bytes['net:[2]'] = 100
    meter.sample([entry(7), entry(9)])
    expect(meter.bytes).toBe(140)
    meter.sample([])
    expect(meter.bytes).toBe(140)
  })

  test('is seen of a process that moves into a network of its own after it began', () => {
    const networks: Record<number, string> = { 7: 'net:[1]' }
    const meter = new NetworkMeter(host(networks, { 'net:[2]': 30 }))
    meter.sample([entry(7)])
    networks[7] = 'net:[2]'
    meter.sample([entry(7)])
    expect(meter.bytes).toBe(30)
  })

  test('is the sum of what all links but the loopback have received and sent', () => {
    const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9999999 10 0 0 0 0 0 0 9999999 10 0 0 0 0 0 0
  eth0:     90       1    0    0    0     0          0         0       15       1    0    0    0     0       0          0
wg-1:7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0
`
    expect(bytesIn(table)).toBe(120)
    expect(bytesIn('')).toBe(0)
  })
})

/** Whether a network of its own with a link in it can be made here. */
const canMakeNetworks =
  spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']).status === 0

describe.skipIf(!canMakeNetworks)('work in a network of its own', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-network-')))
  const supervisor = new Supervisor({ folder })
  afterAll(async () => {
    await supervisor.close()
    rmSync(folder, { recursive: true })
  })
  const link = `ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
    ip addr add 10.9.0.1/24 dev v0; ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v0
    exec 3>/dev/udp/10.9.0.2/9; text=$(head -c 1000 /dev/zero | tr '\\0' a)`

  async function run(script: string, limits: ProcessLimits) {
    const running = await supervisor.start({
      ...{ marker: `network-${process.pid}-${Math.random()}`, file: 'unshare', args: ['--net', 'bash', '-c', script] },
      ...{ env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }, cwd: folder },
      ...{ onStdout: () => {}, onStderr: () => {}, limits },
    })
    return running.ended
  }

  test('is measured', async () => {
    const end = await run(`${link}; for n in 1 2 3 4 5; do printf %s "$text" >&3; done; sleep 2`, {})
    // Sent on one end of the link and received on the other.
    expect(end.usage.networkBytes).toBeGreaterThanOrEqual(10_000)
    expect(end.usage.networkBytes).toBeLessThan(20_000)
    expect(end).toMatchObject({ exitCode: 0, breach: null })
  })

  test('is ended when it goes on carrying more than it may', async () => {
    const end = await run(`${link}; while :; do printf %s "$text" >&3; done`, { networkBytesPerSecond: 10_000 })
    expect(end.breach).toMatchObject({ resource: 'network', limit: 10_000 })
    expect(end.breach!.used).toBeGreaterThan(11_000)
  }, 60_000)
})
