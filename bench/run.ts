import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Bench, Measured, StandaloneBench } from './harness/bench.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))
/** Each is loaded only when it runs, because the peers it imports may not be installed before. */
const benches: Readonly<Record<string, () => Promise<{ bench: Bench | StandaloneBench }>>> = {
  dispatch: () => import('./benches/dispatch.ts'),
  agents: () => import('./benches/agents.ts'),
  latency: () => import('./benches/latency.ts'),
  backlog: () => import('./benches/backlog.ts'),
  boot: () => import('./benches/boot.ts'),
  budgets: () => import('./benches/budgets.ts'),
  clients: () => import('./benches/clients.ts'),
  gateway: () => import('./benches/gateway.ts'),
  ingest: () => import('./benches/ingest.ts'),
  llm: () => import('./benches/llm.ts'),
  churn: () => import('./benches/churn.ts'),
  migrate: () => import('./benches/migrate.ts'),
  streams: () => import('./benches/streams.ts'),
  peers: () => import('./benches/peers.ts'),
  replicas: () => import('./benches/replicas.ts'),
  balance: () => import('./benches/balance.ts'),
  scaling: () => import('./benches/scaling.ts'),
}

/** Those that need neither a database nor the peers: these may not even be loaded before the peers are there. */
const standalone: ReadonlySet<string> = new Set(['agents', 'balance', 'clients', 'scaling'])

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
})
const name = positionals[0] ?? ''
const load = Object.hasOwn(benches, name) ? benches[name] : undefined
const rounds = Number(values.rounds)

if (!load || positionals.length !== 1 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join('|')} [--json] [--rounds 5] [--only PART,...]`)
  process.exitCode = 64
} else {
  await run(name, load)
}

async function run(name: string, load: () => Promise<{ bench: Bench | StandaloneBench }>): Promise<void> {
  if (!standalone.has(name)) installPeers()
  const { describeMachine } = await import('./harness/machine.ts')
  const { formatReport, judge, round } = await import('./harness/report.ts')
  const { bench } = await load()
  const only = values.only?.split(',') ?? null
  const unknown = only?.filter((part) => !bench.parts?.includes(part)) ?? []
  if (unknown.length > 0) {
    const parts = bench.parts ? `it has ${bench.parts.join(', ')}` : 'it has no parts'
    console.error(`bench ${name} has no part ${unknown.join(', ')}: ${parts}`)
    process.exitCode = 64
    return
  }
  const at = new Date().toISOString()
  const { measured, version } = await measure(bench, only)
  const { results, ratios } = measured
  const report = {
    bench: name,
    machine: describeMachine(version),
    at,
    results,
    ratios: Object.fromEntries(Object.entries(ratios).map(([ratio, value]) => [ratio, round(value)])),
    targets: judge(ratios, only ? rulesOf(ratios, bench.targets) : bench.targets),
  }
  console.log(values.json ? JSON.stringify(report) : formatReport(report))
}

/** The rules for what was measured, where only parts of a bench were. */
function rulesOf<Rule>(ratios: Readonly<Record<string, number>>, rules: Readonly<Record<string, Rule>>) {
  return Object.fromEntries(Object.entries(rules).filter(([ratio]) => ratio in ratios))
}

async function measure(
  bench: Bench | StandaloneBench,
  only: readonly string[] | null,
): Promise<{ readonly measured: Measured; readonly version: string | null }> {
  const options = { rounds, only, note: (text: string) => console.error(`bench: ${text}`) }
  if (bench.standalone) return { measured: await bench.measure(options), version: null }
  const { startServer } = await import('./harness/postgres.ts')
  await using server = await startServer()
  return { measured: await bench.measure(server, options), version: server.version }
}

/** The peers are heavy and only benches need them, so they have a lockfile of their own and come on first use. */
function installPeers(): void {
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return
  console.error('bench: installing the peers from bench/package-lock.json')
  const npm = process.env.npm_execpath
  const [command, prefix] = npm ? [process.execPath, [npm]] : ['npm', []]
  const options = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync(command, [...prefix, ...options], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error(`npm ci in bench/ ended with exit code ${status}`)
}
