import { findProgram } from '../foundation/platform/processes/index.ts'
import { addA2a } from './a2a/add-a2a.ts'
import { type AgentPreset, agentPresets } from './agent-presets.ts'
import { cliErrors } from './cli-errors.ts'
import type { CliContext } from './command.ts'
import { addMcp } from './mcp/add-mcp.ts'
import { addOwn, isOwn, type OwnPoolOptions } from './own/add-own.ts'
import { isPlaced, type PlacedPoolOptions, placedPool } from './placed-pool.ts'
import { writeSetting } from './write-setting.ts'

export interface AddAgentOptions extends PlacedPoolOptions, OwnPoolOptions {
  readonly name?: string
  readonly agents?: number
  readonly env?: readonly string[]
  readonly capability?: readonly string[]
  readonly network?: 'open' | 'models' | 'off'
  readonly confine?: 'off' | 'auto' | 'required'
  readonly force?: boolean
  readonly url?: string
  readonly secret?: string
}

/** Adds a pool to the project's leanvibe.yaml, whose comments and order stay as they are. */
export async function addAgent(
  context: CliContext,
  what: string,
  argv: readonly string[],
  options: AddAgentOptions,
): Promise<void> {
  if (what === 'a2a') return addA2a(context, argv, options)
  if (what === 'mcp') return addMcp(context, argv, options)
  if (isOwn(what)) return addOwn(context, what, argv, options)
  const preset = agentPresets.find(({ name }) => name === what)
  const found = preset === undefined ? null : await findPreset(preset, context.env.path)
  if (preset === undefined && what !== 'acp' && what !== 'command' && !isPlaced(what)) {
    throw cliErrors['agent-unknown'](`${what} is no agent that can be added`)
  }
  const command = argv.length > 0 ? argv : preset === undefined ? [] : (found ?? preset.commands[0]!)
  if (command.length === 0) throw cliErrors['agent-unknown'](`${what} needs a program and its arguments after --`)
  const name = options.name ?? preset?.name ?? command[0]!.split('/').at(-1)!.toLowerCase()
  const pool = poolOf(preset, what, command, options)
  const place = { path: ['pools', name], called: `a pool ${name}`, force: options.force === true }
  const file = await writeSetting(context, place, pool)
  const { out } = context
  out.document({ type: 'agent-added', pool: name, file, ...pool })
  out.lines(`${out.colors.green('✔')} pool ${name} in ${file}: ${command.join(' ')}`)
  if (preset !== undefined && found === null && argv.length === 0) {
    const how = preset.npm === null ? `install ${preset.title}` : `npm install --global ${preset.npm}`
    out.lines(`${out.colors.yellow('!')} ${command[0]} is not on the PATH`, `${out.colors.cyan('next')}  ${how}`)
  } else
    out.lines(
      `${out.colors.cyan('next')}  leanvibe spawn --pool ${name} --task "..."   a server that runs must be restarted`,
    )
}

/** The command of a preset as it can be started here; null: its program is not on the search path. */
export async function findPreset(preset: AgentPreset, searchPath: string): Promise<readonly string[] | null> {
  for (const command of preset.commands) if ((await findProgram(command[0]!, searchPath)) !== null) return command
  return null
}

function poolOf(preset: AgentPreset | undefined, what: string, command: readonly string[], options: AddAgentOptions) {
  const confine = isPlaced(what)
    ? {}
    : {
        ...(options.confine === undefined ? {} : { mode: options.confine }),
        ...(options.network === undefined ? {} : { network: options.network }),
        ...(preset === undefined ? {} : { write: preset.write }),
      }
  const env = [...new Set([...(preset?.env ?? []), ...(options.env ?? [])])]
  return {
    ...(isPlaced(what)
      ? placedPool(what, command, options)
      : { ...(what === 'command' ? {} : { kind: 'acp' }), command }),
    capabilities: options.capability ?? ['code', ...(preset === undefined ? [] : [preset.name])],
    agents: options.agents ?? 1,
    ...(env.length === 0 ? {} : { env }),
    ...(Object.keys(confine).length === 0 ? {} : { confine }),
  }
}
