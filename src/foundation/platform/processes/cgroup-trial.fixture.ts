import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ProcessEnd, type ProcessLimits, Supervisor } from './index.ts'

// A program of its own, in a control group of its own, as a service to which systemd has delegated one: `group folder`.
const [, , group = '', folder = ''] = process.argv
writeFileSync(join(group, 'cgroup.procs'), String(process.pid))
mkdirSync(folder, { recursive: true })
const supervisor = new Supervisor({ folder })
const mb = 2 ** 20

async function bash(name: string, script: string, limits: ProcessLimits | null): Promise<ProcessEnd> {
  const running = await supervisor.start({
    ...{ marker: name, file: 'bash', args: ['-c', script], env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, cwd: folder },
    ...{ onStdout: () => {}, onStderr: () => {}, ...(limits === null ? {} : { limits }) },
  })
  return running.ended
}

// Work without limits is there when the first with limits begins.
const beside = bash('beside', 'sleep 2', null)
const memory = await bash('memory', `(x=$(head -c ${200 * mb} /dev/zero | tr '\\0' a); sleep 60) & wait`, {
  memoryBytes: 64 * mb,
})
const cpu = await bash('cpu', 'end=$((SECONDS + 6)); while ((SECONDS < end)); do :; done', { cpuCores: 0.1 })
const within = await bash('within', 'exit 0', { memoryBytes: 64 * mb, cpuCores: 1 })
await beside
await supervisor.close()
process.stdout.write(`${JSON.stringify({ memory, cpu, within })}\n`)
