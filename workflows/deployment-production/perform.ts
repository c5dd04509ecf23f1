import { setTimeout as delay } from 'node:timers/promises'
import { defineErrors } from '../../src/foundation/kernel/errors.ts'
import { type CommandEnd, endText, lastLines, runCommand, shown } from '../kit/run-command.ts'
import { countOf, type WorkStep, workProgram } from '../kit/work-program.ts'
import { code } from '../repo-checkup/report/markdown.ts'
import type { Finding } from '../repo-checkup/result.ts'

export const performErrors = defineErrors({
  'deploy-command-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a command given to deployment-production is no list of words',
    next: 'Give program and arguments as a list: --input deploy=["./deploy.sh","production"].',
  },
})

export interface PerformFacts {
  readonly what: string
  readonly command: readonly string[]
  readonly passed: boolean
  readonly tries: number
  readonly end: string
}

/** A command as it was given: a list of words, of which the first is the program. Null: none was given. */
export function commandOf(text: string | undefined, what: string): readonly string[] | null {
  const value: unknown = text === undefined || text === '' ? null : parse(text)
  if (value === null) return null
  if (Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string') && value[0] !== '')
    return value
  throw performErrors['deploy-command-invalid'](
    `${what}: expected a list such as ["./deploy.sh"], found ${text!.slice(0, 80)}`,
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller refuses what is no list, with what it found.
    return text
  }
}

const grave: Readonly<Record<string, Pick<Finding, 'score' | 'title' | 'why' | 'next'>>> = {
  deploy: {
    score: 95,
    title: 'The deploy command failed',
    why: 'What runs now is not known.',
    next: 'Read its last lines, and see what is there.',
  },
  verify: {
    score: 95,
    title: 'What was deployed does not pass its verification',
    why: 'It is in production.',
    next: 'It was taken back where a rollback command was given; read the last lines.',
  },
  rollback: {
    score: 100,
    title: 'The rollback failed, too',
    why: 'Production is in a state that nobody asked for.',
    next: 'Somebody must look at it now.',
  },
}

/** Runs a command of the user. Its failure is a fact for the next steps, not a failure of this one. */
export const perform: WorkStep<PerformFacts> = {
  name: 'perform',
  options: ['what', 'command', 'commit', 'minutes', 'until'],
  async run({ folder, options, signal, clock, say }) {
    const { what = 'deploy', commit = '' } = options
    const command = commandOf(options.command, what)
    if (command === null) throw performErrors['deploy-command-invalid'](`${what}: no command was given`)
    const place = {
      cwd: folder,
      signal,
      timeoutMs: countOf(options.minutes, 30, 1, 240) * 60_000,
      env: { DEPLOY_COMMIT: commit },
    }
    const until = clock.monotonic() + countOf(options.until, 0, 0, 7_200) * 1_000
    let tries = 0
    let end: CommandEnd
    for (;;) {
      end = await runCommand(command, place)
      tries += 1
      say(`${shown(command)}: ${endText(end)}`)
      if (end.exitCode === 0 || end.error !== null || signal.aborted || clock.monotonic() >= until) break
      await delay(Math.min(5_000, 250 * 2 ** Math.min(tries, 5), Math.max(0, until - clock.monotonic())), undefined, {
        signal,
      })
    }
    const passed = end.exitCode === 0
    const tail = lastLines(end.output, 8)
      .split('\n')
      .map((line) => line.slice(0, 160))
      .filter((line) => line.trim() !== '')
    const facts = { what, command, passed, tries, end: endText(end) }
    const findings = passed
      ? []
      : [
          {
            id: `${what}/failed`,
            ...grave[what]!,
            evidence: [`${shown(command)}: ${endText(end)}`, ...tail].slice(0, 10),
          },
        ]
    const done = {
      id: 'rollback/done',
      score: 90,
      title: 'It was taken back',
      why: 'The deployment or its verification failed.',
      next: 'Find the cause before the next one.',
      evidence: [shown(command)],
    }
    const times = tries === 1 ? '' : `, after ${tries} tries`
    return {
      facts,
      headline: `the ${what === 'verify' ? 'verification' : what} ${passed ? 'passed' : 'failed'}`,
      findings: what === 'rollback' && passed ? [done] : findings,
      sections: [
        {
          title: `Command: ${what}`,
          markdown: `${code(shown(command))} ${endText(end)}${times}.\n\n${tail.map((line) => `    ${line}`).join('\n')}`,
        },
      ],
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(perform, argv)

if (import.meta.main) await main(process.argv.slice(2))
