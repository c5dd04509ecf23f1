import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CommandOptions, endText, runCommand, seconds, shown } from '../kit/run-command.ts'
import { failureText, readToolchain, setUp, type Toolchain } from '../kit/toolchain.ts'
import { countOf, type WorkStep, workProgram } from '../kit/work-program.ts'
import { checkOut, parentOf } from '../kit/worktree.ts'
import { code, table } from '../repo-checkup/report/markdown.ts'
import { type Finding, plural } from '../repo-checkup/result.ts'
import { type Difference, differenceOf, timesOf } from './compare-times.ts'

export interface MeasuredCommand {
  readonly shown: string
  readonly beforeMs: number | null
  readonly afterMs: number
  readonly difference: Difference | 'new'
}

export interface MeasureFacts {
  readonly before: string | null
  readonly after: string
  readonly commands: readonly MeasuredCommand[]
  /** At least one is faster, none slower. */
  readonly faster: boolean
}

export const measure: WorkStep<MeasureFacts> = {
  name: 'measure',
  options: ['repo', 'before', 'after', 'runs', 'minutes', 'command', 'name'],
  async run({ options, signal, say }) {
    const { repo = '.', after = '' } = options
    const runs = countOf(options.runs, 5, 2, 50)
    const before = options.before || (after === '' ? null : await parentOf(repo, after, signal))
    const nothing = { before, after, commands: [], faster: false }
    if (after === '') return { facts: nothing, limits: ['The repository has no commits yet.'] }
    const folder = await mkdtemp(join(tmpdir(), 'measure-'))
    try {
      const place = (cwd: string): CommandOptions => ({
        cwd,
        signal,
        timeoutMs: countOf(options.minutes, 5, 1, 240) * 60_000,
      })
      const sides = [
        { at: after, cwd: join(folder, 'after') },
        ...(before === null ? [] : [{ at: before, cwd: join(folder, 'before') }]),
      ]
      for (const side of sides) await checkOut(repo, side.at, side.cwd, signal)
      const toolchain = readToolchain(sides[0]!.cwd)
      const commands = commandsOf(toolchain, options.command)
      if (commands.length === 0) {
        const finding = {
          id: 'measure/none',
          score: 40,
          title: 'The repository has no command to measure',
          why: 'What is not measured gets slower unnoticed.',
          next: 'Name one: --input command=["node","bench.js"].',
          evidence: ['looked for: bench, test and build in package.json, cargo, go, Maven, make'],
        }
        return { facts: nothing, findings: [finding] }
      }
      const limits: string[] = []
      const failures: string[] = []
      for (const { at, cwd } of sides) {
        const missing = await setUp(readToolchain(cwd), place(cwd))
        if (missing !== null)
          limits.push(`At ${at.slice(0, 12)} the dependencies cannot be installed: ${missing.slice(0, 300)}`)
      }
      const measured: MeasuredCommand[] = []
      const rows: string[][] = []
      for (const argv of commands) {
        const times: number[][] = sides.map(() => [])
        const broken: (string | null)[] = sides.map(() => null)
        // In turns, so that what the machine does besides hits both. The first turn warms up and does not count.
        for (let turn = 0; turn <= runs && !signal.aborted; turn++) {
          for (const [index, side] of sides.entries()) {
            if (broken[index] !== null) continue
            const end = await runCommand(argv, place(side.cwd))
            if (end.exitCode !== 0) broken[index] = failureText(end)
            else if (turn > 0) times[index]!.push(end.ms)
            say(`${shown(argv)} at ${side.at.slice(0, 12)}: ${endText(end)}`)
          }
        }
        for (const [index, why] of broken.entries())
          if (why !== null) failures.push(`At ${sides[index]!.at.slice(0, 12)}: ${why.slice(0, 300)}`)
        const [now = [], then = []] = times
        if (now.length === 0) continue
        const difference = then.length === 0 ? 'new' : differenceOf(then, now)
        const own = timesOf(now)
        const old = then.length === 0 ? null : timesOf(then)
        measured.push({
          shown: shown(argv),
          beforeMs: old === null ? null : Math.round(old.median),
          afterMs: Math.round(own.median),
          difference,
        })
        const cell = (side: typeof own | null) =>
          side === null ? 'none' : `${seconds(side.median)} ± ${seconds(side.spread)}`
        rows.push([
          code(shown(argv)),
          cell(old),
          cell(own),
          old === null ? '' : `${Math.round((own.median / old.median - 1) * 100)} %`,
          difference,
        ])
      }
      const heading = `${code(before?.slice(0, 12) ?? 'nothing')} against ${code(after.slice(0, 12))}, ${runs} runs each in turns; median and half of the runs within ±.\n\n`
      const title = options.name === 'change' ? 'What the change brings' : 'Before and after'
      const facts = {
        before,
        after,
        commands: measured,
        faster:
          measured.some((one) => one.difference === 'faster') && measured.every((one) => one.difference !== 'slower'),
      }
      const sections =
        rows.length === 0
          ? []
          : [
              {
                title,
                markdown:
                  heading +
                  table(['Command', 'Before', 'After', 'Change', 'Beyond the noise'], rows, [
                    'Before',
                    'After',
                    'Change',
                  ]),
              },
            ]
      return {
        facts,
        headline: headlineOf(measured),
        findings: measured.length === 0 ? [nothingMeasured(failures)] : measured.flatMap(findingOf),
        limits: [
          ...limits,
          ...failures,
          `Measured on this machine, beside whatever else it did. ${runs} runs find differences of some percent, not smaller ones.`,
        ],
        sections,
      }
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  },
}

export function commandsOf(toolchain: Toolchain, given: string | undefined): readonly (readonly string[])[] {
  const named: unknown = given ? JSON.parse(given) : null
  if (Array.isArray(named) && named.length > 0) return [named.map(String)]
  return [...toolchain.bench.slice(0, 1), ...toolchain.checks.tests.slice(0, 1), ...toolchain.build.slice(0, 1)].map(
    ({ argv }) => argv,
  )
}

function headlineOf(measured: readonly MeasuredCommand[]): string {
  if (measured.length === 0) return 'nothing could be measured'
  const count = (difference: MeasuredCommand['difference']) =>
    measured.filter((one) => one.difference === difference).length
  const [faster, slower] = [count('faster'), count('slower')]
  return `${plural(measured.length, 'command')} measured, ${faster} faster and ${slower} slower than before`
}

function nothingMeasured(failures: readonly string[]): Finding {
  return {
    id: 'measure/failed',
    score: 65,
    title: 'No command could be measured: each of them fails',
    why: 'So nothing is known of how fast it is.',
    next: 'Make them pass in a fresh clone, or name another: --input command=["node","bench.js"].',
    evidence: failures.slice(0, 6),
  }
}

function findingOf({ shown: command, beforeMs, afterMs, difference }: MeasuredCommand): Finding[] {
  if (difference !== 'slower') return []
  const percent = Math.round((afterMs / beforeMs! - 1) * 100)
  return [
    {
      id: `measure/${command}`,
      score: percent >= 20 ? 75 : 50,
      title: `${command} is ${percent} % slower than before`,
      why: 'The difference is larger than the noise of both.',
      next: 'See what changed between the two commits; `git bisect run` with this command finds the one.',
      evidence: [`before ${beforeMs} ms, after ${afterMs} ms`],
    },
  ]
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(measure, argv)

if (import.meta.main) await main(process.argv.slice(2))
