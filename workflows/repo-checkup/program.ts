import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '../../src/foundation/kernel/clock.ts'
import { AppError, defineErrors, exitCodeOf, isAppError, messageOf } from '../../src/foundation/kernel/errors.ts'
import { openRepository, type Repository } from './git/open-repository.ts'
import type { Finding, StepResult } from './result.ts'

export const programErrors = defineErrors({
  'checkup-bad-argument': {
    kind: 'input',
    retry: 'never',
    when: 'a repo-checkup program gets an argument it does not know or cannot use',
    next: 'Run the program with --help to see its arguments.',
  },
  'checkup-output-too-large': {
    kind: 'internal',
    retry: 'never',
    when: 'a repo-checkup program would print more than 60 kB',
    next: 'Report it with the repository it happened on; the full detail belongs into --out.',
  },
})

export interface StepContext {
  readonly repository: Repository
  readonly commit: string
  /** What a map step was started for (--item), or null. */
  readonly item: string | null
  readonly signal: AbortSignal
  /** True once --max-seconds have passed: stop and say how far you came. */
  expired(): boolean
  /** A line on standard error, at most one a second; it counts as a sign of life. */
  progress(message: string): void
  /** Writes a file below --out and returns its name as a list; without --out it returns an empty list. */
  artifact(name: string, content: string): Promise<readonly string[]>
}

export interface StepOutcome<Facts> {
  readonly facts: Facts
  readonly findings: readonly Finding[]
  readonly limits: readonly string[]
  readonly artifacts?: readonly string[]
}

export interface Step<Facts> {
  readonly name: string
  /** One line for --help. */
  readonly about: string
  readonly run: (context: StepContext) => Promise<StepOutcome<Facts>>
}

export interface StepSurroundings {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly stderr: (line: string) => void
}

export const maxResultBytes = 60_000
const defaultSeconds = 60

/** Runs one step over one repository; the body of every program here. */
export async function runStep<Facts>(
  step: Step<Facts>,
  argv: readonly string[],
  { clock, signal, stderr }: StepSurroundings,
): Promise<StepResult<Facts>> {
  const options = readArguments(argv)
  const started = clock.monotonic()
  await using repository = await openRepository(options.repo, options.commit === '' ? 'HEAD' : options.commit, signal)
  const base = { step: step.name, schema: 1 as const, commit: repository.commit, artifacts: [] }
  const took = () => Math.round(clock.monotonic() - started)
  if (repository.commit === null) {
    return { ...base, facts: null, findings: [], limits: ['The repository has no commits yet.'], tookMs: took() }
  }
  let spokeAt = Number.NEGATIVE_INFINITY
  const outcome = await step.run({
    repository,
    commit: repository.commit,
    item: options.item,
    signal,
    expired: () => clock.monotonic() - started > options.maxSeconds * 1000,
    progress(message) {
      if (clock.monotonic() - spokeAt < 1000) return
      spokeAt = clock.monotonic()
      stderr(`${step.name}: ${message}`)
    },
    async artifact(name, content) {
      if (options.out === null) return []
      await mkdir(options.out, { recursive: true })
      await writeFile(join(options.out, name), content)
      return [name]
    },
  })
  return { ...base, ...outcome, artifacts: outcome.artifacts ?? [], tookMs: took() }
}

interface Arguments {
  readonly repo: string
  readonly commit: string
  readonly item: string | null
  readonly out: string | null
  readonly maxSeconds: number
}

function readArguments(argv: readonly string[]): Arguments {
  const text = { type: 'string' as const }
  const values = parseArguments(argv, { repo: text, commit: text, item: text, out: text, 'max-seconds': text })
  if (!values.repo) throw programErrors['checkup-bad-argument']('--repo PATH is missing')
  const maxSeconds = Number(values['max-seconds'] ?? defaultSeconds)
  if (!(maxSeconds > 0))
    throw programErrors['checkup-bad-argument'](`--max-seconds ${values['max-seconds']} is not a positive number`)
  return {
    repo: values.repo,
    commit: values.commit ?? '',
    item: values.item ?? null,
    out: values.out ?? null,
    maxSeconds,
  }
}

/** `parseArgs` with our error. A value may begin with a dash when written `--name=value`. */
export function parseArguments<const O extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  argv: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...argv], options: options!, strict: true, allowPositionals: false }).values as Record<
      string,
      string | undefined
    >
  } catch (error) {
    throw programErrors['checkup-bad-argument'](messageOf(error), { cause: error })
  }
}

const usage = (step: Step<unknown>) => `${step.about}

node run.mjs ${step.name} --repo PATH [--commit REVISION] [--item NAME] [--out FOLDER] [--max-seconds N]

Prints one line of JSON on standard output; progress goes to standard error.
`

/** The life of a program: arguments, signals, one line of JSON, an exit code from the error's kind. */
export async function runProgram(step: Step<unknown>, argv: readonly string[]): Promise<void> {
  if (argv.includes('--help')) {
    process.stdout.write(usage(step))
    return
  }
  await printOutcome((surroundings) => runStep(step, argv, surroundings))
}

/** Runs `work`, prints what it returns, and turns a failure into a message that says what to do next. */
export async function printOutcome(work: (surroundings: StepSurroundings) => Promise<unknown>): Promise<void> {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(name, () => stop.abort(new Error(`stopped by ${name}`)))
  const stderr = (line: string) => process.stderr.write(`${line}\n`)
  try {
    const line = JSON.stringify(await work({ clock: systemClock, signal: stop.signal, stderr }))
    if (Buffer.byteLength(line) > maxResultBytes) {
      throw programErrors['checkup-output-too-large'](`the result has ${Buffer.byteLength(line)} bytes`)
    }
    process.stdout.write(`${line}\n`)
  } catch (error) {
    const known = isAppError(error) ? error : null
    // One line: the last one is what a run shows as the reason.
    stderr(`error: ${messageOf(error)}${known === null ? '' : ` (${known.code}); next: ${known.next}`}`)
    if (known === null && error instanceof Error && !stop.signal.aborted) stderr(error.stack ?? '')
    process.exitCode = stop.signal.aborted ? 143 : error instanceof AppError ? exitCodeOf[error.kind] : 70
  }
}
