import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandAgent } from '../../foundation/platform/config/pools.ts'
import { agentErrors } from '../runners/attempt-errors-contract.ts'
import type { ResolvedAgent, ResolvedCommand, ResolvedScript } from '../workflows/task-contract.ts'

export interface CommandLine {
  readonly argv: readonly string[]
  readonly stdin: string | null
  readonly env: Readonly<Record<string, string>>
}

/** How a task is started as a process. No value of it ever passes through a shell. */
export async function commandLineOf(
  spec: ResolvedCommand | ResolvedScript | ResolvedAgent,
  agent: CommandAgent | null,
  tempdir: string,
  /** The model that it is given; null: its own. */
  model: string | null = null,
): Promise<CommandLine> {
  switch (spec.kind) {
    case 'command':
      return { argv: spec.argv, stdin: spec.stdin, env: {} }
    case 'script': {
      const path = join(tempdir, 'script')
      await writeFile(path, spec.script, { mode: 0o700 })
      return { argv: [...spec.interpreter, path], stdin: null, env: {} }
    }
    case 'agent':
      return agentLine(spec, agent, tempdir, model)
  }
}

async function agentLine(
  spec: ResolvedAgent,
  agent: CommandAgent | null,
  tempdir: string,
  model: string | null,
): Promise<CommandLine> {
  if (agent === null) throw agentErrors['agent-mismatch']('this pool runs commands and scripts and takes no prompts')
  const path = join(tempdir, 'prompt.md')
  if (agent.prompt === 'file') await writeFile(path, spec.prompt, { mode: 0o600 })
  const values: Readonly<Record<string, string>> = {
    '{prompt}': spec.prompt,
    '{prompt-file}': path,
    '{depth}': spec.depth,
    '{model}': model ?? '',
    '{persona}': spec.persona ?? '',
  }
  return {
    // In one pass, so that a placeholder inside the prompt stays text.
    argv: agent.argv.map((part) =>
      part.replaceAll(/\{(?:prompt|prompt-file|depth|model|persona)\}/g, (mark) => values[mark] ?? mark),
    ),
    stdin: agent.prompt === 'stdin' ? spec.prompt : null,
    env: {
      LEANVIBE_DEPTH: spec.depth,
      LEANVIBE_TIER: spec.tier ?? 'standard',
      ...(spec.persona === undefined ? {} : { LEANVIBE_PERSONA: spec.persona }),
      ...(spec.tools === undefined ? {} : { LEANVIBE_TOOLS: spec.tools.join(',') }),
    },
  }
}
