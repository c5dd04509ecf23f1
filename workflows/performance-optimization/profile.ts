import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endText, runCommand, shown } from '../kit/run-command.ts'
import { readToolchain, setUp } from '../kit/toolchain.ts'
import { countOf, type WorkStep, workProgram } from '../kit/work-program.ts'
import { code, table } from '../repo-checkup/report/markdown.ts'
import { commandsOf } from './measure.ts'

export interface ProfileFacts {
  readonly command: string | null
  /** Functions by the time spent in themselves. */
  readonly top: readonly { readonly name: string; readonly percent: number }[]
  readonly processes: number
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples?: readonly number[]
  readonly timeDeltas?: readonly number[]
}

/** Time in each function itself, over several profiles of V8. Pure. `idle` and the like are left out. */
export function selfTimes(
  profiles: readonly CpuProfile[],
  folder: string,
): readonly { readonly name: string; readonly percent: number }[] {
  const spent = new Map<string, number>()
  for (const { nodes, samples = [], timeDeltas = [] } of profiles) {
    const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame, folder)]))
    for (const [index, id] of samples.entries()) {
      const name = names.get(id)
      if (name !== undefined && name !== null)
        spent.set(name, (spent.get(name) ?? 0) + Math.max(0, timeDeltas[index] ?? 0))
    }
  }
  const total = [...spent.values()].reduce((sum, each) => sum + each, 0)
  if (total === 0) return []
  return [...spent]
    .map(([name, time]) => ({ name, percent: Math.round((time / total) * 1_000) / 10 }))
    .toSorted((a, b) => b.percent - a.percent || (a.name < b.name ? -1 : 1))
    .slice(0, 15)
}

function nameOf(
  { functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame'],
  folder: string,
): string | null {
  if (/^\((idle|program|root)\)$/.test(functionName)) return null
  if (url === '') return functionName === '' ? null : functionName
  const path = url.startsWith('file://') ? relative(folder, fileURLToPath(url)) : url
  return `${functionName || '(anonymous)'} ${path.startsWith('..') ? path.split('/').slice(-3).join('/') : path}:${lineNumber + 1}`
}

const largestProfile = 200_000_000

export const profile: WorkStep<ProfileFacts> = {
  name: 'profile',
  options: ['minutes', 'command'],
  async run({ folder, options, signal, say }) {
    const toolchain = readToolchain(folder)
    const [command] = commandsOf(toolchain, options.command)
    const nothing = { command: null, top: [], processes: 0 }
    if (command === undefined) return { facts: nothing, limits: ['There is no command to profile.'] }
    const place = { cwd: folder, signal, timeoutMs: countOf(options.minutes, 5, 1, 240) * 60_000 }
    const missing = await setUp(toolchain, place)
    if (missing !== null)
      return {
        facts: { ...nothing, command: shown(command) },
        limits: [`The dependencies cannot be installed: ${missing.slice(0, 300)}`],
      }
    const traces = await mkdtemp(join(tmpdir(), 'profile-'))
    try {
      const flags = ['--cpu-prof', `--cpu-prof-dir=${traces}`]
      // Every Node process of the command writes one; other programs do not know the variable.
      let end = await runCommand(command, { ...place, env: { NODE_OPTIONS: flags.join(' ') } })
      const refused = /--cpu-prof(?:-dir)? is not allowed in NODE_OPTIONS/.test(end.output)
      // Node before 22 takes them as arguments alone.
      if (refused && command[0] === 'node') end = await runCommand(['node', ...flags, ...command.slice(1)], place)
      else if (refused) {
        const limits = [
          'The Node of this command takes profiles from version 22 on; give --input command=["node","FILE"] instead.',
        ]
        return { facts: { ...nothing, command: shown(command) }, limits }
      }
      say(endText(end))
      const profiles: CpuProfile[] = []
      for (const name of await readdir(traces)) {
        if (!name.endsWith('.cpuprofile') || (await stat(join(traces, name))).size > largestProfile) continue
        try {
          profiles.push(JSON.parse(await readFile(join(traces, name), 'utf8')) as CpuProfile)
        } catch (error) {
          // A process that was killed leaves half of one.
          if (!(error instanceof SyntaxError)) throw error
        }
      }
      const top = selfTimes(profiles, folder)
      const facts = { command: shown(command), top, processes: profiles.length }
      if (top.length === 0)
        return {
          facts,
          limits: ['Profiles are taken of Node processes, and there were none: perf, py-spy or pprof see the others.'],
        }
      const rows = top.map(({ name, percent }) => [code(name), `${percent} %`])
      return {
        facts,
        sections: [
          {
            title: 'Where the time goes',
            markdown: `${code(shown(command))}, ${profiles.length} processes of Node, time in the function itself.\n\n${table(['Function', 'Share'], rows, ['Share'])}`,
          },
        ],
      }
    } finally {
      await rm(traces, { recursive: true, force: true, maxRetries: 3 })
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(profile, argv)

if (import.meta.main) await main(process.argv.slice(2))
