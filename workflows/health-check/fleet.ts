import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lastLines, runCommand } from '../kit/run-command.ts'
import { type WorkStep, workProgram } from '../kit/work-program.ts'
import { code, escapeMarkdown, table } from '../repo-checkup/report/markdown.ts'
import type { Finding } from '../repo-checkup/result.ts'

/** What `doctor` tells of one thing. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'note' | 'warn' | 'bad'
  readonly detail: string
  readonly next?: string
}

export interface FleetFacts {
  readonly checks: readonly Check[]
  /** Agents by state; null: the platform could not be asked. */
  readonly agents: Readonly<Record<string, number>> | null
  readonly queue: readonly unknown[] | null
  readonly failures5m: number | null
}

interface Figures {
  readonly agents?: { readonly byState?: Record<string, number> }
  readonly queue?: readonly unknown[]
  readonly rates?: { readonly failures5m?: number | null }
}

export function documents(text: string): readonly Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return []
    try {
      return [JSON.parse(line) as Record<string, unknown>]
    } catch {
      // A line of another program between ours.
      return []
    }
  })
}

export function findingsOf(checks: readonly Check[], figures: Figures | null, prompts: boolean): readonly Finding[] {
  const grave = { bad: 85, warn: 45, note: 0, ok: 0 }
  const told = checks
    .filter(({ status }) => grave[status] > 0)
    .map(({ name, status, detail, next }) => ({
      id: `fleet/${name}`,
      score: grave[status],
      title: `${name}: ${detail.split('\n')[0]!.slice(0, 140)}`,
      why: 'doctor tells of it on this machine.',
      next: next ?? 'leanvibe doctor',
      evidence: detail.split('\n').slice(1, 6),
    }))
  const states = figures?.agents?.byState ?? {}
  const ill = (states.unhealthy ?? 0) + (states.degraded ?? 0)
  const failures = figures?.rates?.failures5m ?? 0
  return [
    ...told,
    ...(ill > 0
      ? [
          {
            id: 'fleet/agents',
            score: 70,
            title: `${ill} agents are not healthy`,
            why: 'They get no work, or do it late.',
            next: 'leanvibe agents, then leanvibe liveness',
            evidence: [],
          },
        ]
      : []),
    ...(failures > 0.2
      ? [
          {
            id: 'fleet/failures',
            score: 65,
            title: `${Math.round(failures * 100)} % of the tasks of the last five minutes failed`,
            why: 'More than one in five.',
            next: 'leanvibe runs list --state failed',
            evidence: [],
          },
        ]
      : []),
    ...(prompts
      ? []
      : [
          {
            id: 'fleet/prompts',
            score: 30,
            title: 'No pool takes tasks in words',
            why: 'Workflows with agents cannot run.',
            next: 'leanvibe agents add claude|codex|gemini|opencode|qwen|goose|command',
            evidence: [],
          },
        ]),
  ]
}

export const fleet: WorkStep<FleetFacts> = {
  name: 'fleet',
  options: ['folder', 'agents'],
  async run({ options, folder, signal }) {
    const program = join(fileURLToPath(new URL('.', import.meta.url)), ...up(), 'bin', 'leanvibe.js')
    const cwd = options.folder || folder
    const ask = (...args: string[]) =>
      runCommand([process.execPath, program, ...args, '--json'], { cwd, signal, timeoutMs: 120_000 })
    const doctor = await ask('doctor')
    const checks = documents(doctor.output).filter(
      (each) => typeof each.name === 'string' && typeof each.status === 'string',
    ) as unknown as Check[]
    const monitor = await ask('monitor')
    const figures = monitor.exitCode === 0 ? ((documents(monitor.output).at(-1) ?? null) as Figures | null) : null
    const limits = [
      ...(checks.length === 0
        ? [`doctor told nothing: ${lastLines(doctor.output, 2, 300).replaceAll('\n', ' / ')}`]
        : []),
      ...(figures === null ? [`The platform could not be asked: ${lastLines(monitor.output, 1, 300)}`] : []),
    ]
    const facts = {
      checks,
      agents: figures?.agents?.byState ?? null,
      queue: figures?.queue ?? null,
      failures5m: figures?.rates?.failures5m ?? null,
    }
    const rows = checks.map(({ name, status, detail }) => [
      code(name),
      status,
      escapeMarkdown(detail.replaceAll(/\s+/g, ' ').slice(0, 200)),
    ])
    return {
      facts,
      findings: findingsOf(checks, figures, options.agents !== 'false'),
      sections: rows.length === 0 ? [] : [{ title: 'The fleet', markdown: table(['What', 'State', 'Detail'], rows) }],
      limits,
    }
  },
}

/** The package from here: two folders up in a checkout, three in a package that was built. */
function up(): readonly string[] {
  return import.meta.url.includes('/dist/workflows/') ? ['..', '..', '..'] : ['..', '..']
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(fleet, argv)

if (import.meta.main) await main(process.argv.slice(2))
