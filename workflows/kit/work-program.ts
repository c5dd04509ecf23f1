import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../src/foundation/kernel/clock.ts'
import { parseArguments, printOutcome, type StepSurroundings } from '../repo-checkup/program.ts'
import type { Finding, StepResult } from '../repo-checkup/result.ts'

/** A part of a report beyond its findings; Markdown already. */
export interface Section {
  readonly title: string
  readonly markdown: string
}

/** What a program that runs things prints: one line of JSON, at most 60 kB. */
export interface WorkResult<Facts = unknown> extends Omit<StepResult, 'facts'> {
  readonly facts: Facts
  readonly sections: readonly Section[]
  /** What it came to, in a few words, where findings alone do not say it. */
  readonly headline?: string
}

export interface WorkContext {
  /** Where it runs: the working folder of the step, unless `--dir` says otherwise. */
  readonly folder: string
  readonly options: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly clock: Clock
  /** A line on standard error: a sign of life, kept in the log. */
  say(line: string): void
  /** Keeps a file as an artifact, where the step has a folder for them. */
  keep(name: string, content: string): Promise<void>
}

export interface WorkOutcome<Facts> {
  readonly facts: Facts
  readonly findings?: readonly Finding[]
  readonly limits?: readonly string[]
  readonly sections?: readonly Section[]
  readonly headline?: string
}

export interface WorkStep<Facts> {
  readonly name: string
  /** Options besides `--dir` and `--out`. */
  readonly options: readonly string[]
  readonly run: (context: WorkContext) => Promise<WorkOutcome<Facts>>
}

/** Runs a step in a folder; the body of the programs here that run what a repository has. */
export async function runWork<Facts>(
  step: WorkStep<Facts>,
  argv: readonly string[],
  { clock, signal, stderr }: StepSurroundings = {
    clock: systemClock,
    signal: new AbortController().signal,
    stderr: () => {},
  },
): Promise<WorkResult<Facts>> {
  const text = { type: 'string' as const }
  const known = Object.fromEntries(['dir', 'out', ...step.options].map((name) => [name, text]))
  const given = parseArguments(argv, known)
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >
  const started = clock.monotonic()
  const artifacts: string[] = []
  const outcome = await step.run({
    folder: options.dir ?? process.cwd(),
    options,
    signal,
    clock,
    say: (line) => stderr(`${step.name}: ${line}`),
    async keep(name, content) {
      if (options.out === undefined) return
      await mkdir(options.out, { recursive: true })
      await writeFile(join(options.out, name), content)
      artifacts.push(name)
    },
  })
  const { facts, findings = [], limits = [], sections = [], headline } = outcome
  const told = headline === undefined ? {} : { headline }
  const took = Math.round(clock.monotonic() - started)
  return {
    step: step.name,
    schema: 1,
    commit: null,
    facts,
    findings,
    limits,
    sections,
    ...told,
    artifacts,
    tookMs: took,
  }
}

/** The life of such a program. */
export function workProgram(step: WorkStep<unknown>, argv: readonly string[]): Promise<void> {
  return printOutcome((surroundings) => runWork(step, argv, surroundings))
}

/** A whole number out of an option, kept between two bounds. */
export function countOf(text: string | undefined, usual: number, least: number, most: number): number {
  const value = Math.round(Number(text ?? usual))
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : usual
}
