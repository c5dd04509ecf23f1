import { stringify } from 'yaml'
import type { KnownAgent } from './known-agents.ts'

/** A commented leanvibe.yaml. Settings that only repeat a default are comments, so that defaults may change. */
export function configText(agents: readonly KnownAgent[]): string {
  return `# LeanVibe: settings of this project. Every line may be left out; what is commented shows the default.
# Each may also be given in the environment (LEANVIBE_PORT, LEANVIBE_AGENTS, ...), which wins over this file.
# Durations: 500ms, 30s, 5m, 2h, 1d. Sizes: 512KB, 64MB, 2GB.

# Where state lives: database, artifacts, worktrees, logs. It keeps itself out of git.
# data: .leanvibe

# Local agents for the commands and scripts of workflows (default: as many as cores, 2 to 8).
# agents: 4

# Most tasks of one run at a time (default: as many as agents allow).
# parallel: 8

# Folder of the project's workflows; each NAME.yaml in it can be started as NAME.
# workflows: workflows

# checkpoints:
#   every: 10m            # keep the state of open runs this often (default: never)

# limits:
#   log: 10MB             # output kept per attempt
#   output: 64KB          # longer outputs travel as artifacts
#   artifact: 1GB

# A program that is told when a run ends: it gets the run as JSON on standard input.
# onRunEnd: [notify-send, LeanVibe]

# Variables passed on to all work, besides PATH, HOME, LANG and the like. Nothing else is inherited.
# env: [CI]

# Secrets are references, never values; workflows use them as \${{ secrets.NAME }}.
# secrets:
#   github_token: { env: GITHUB_TOKEN }
#   deploy_key: { file: ~/.keys/deploy }
#   vault: { command: [vault, kv, get, -field=token, secret/ci] }

# Pools of agents that take tasks in words. The task reaches the program as an argument ({prompt}), in a file
# ({prompt-file}), or, where neither stands among the arguments, on standard input. No shell is involved.
${agents.length === 0 ? noAgents : `pools:\n${agents.map(poolText).join('\n')}`}`
}

const noAgents = `# No known coding agent is on the PATH (claude, codex, gemini, aider, opencode, qwen, ...). Any program will do:
# pools:
#   reviewer:
#     command: [my-agent, --task, '{prompt}']
#     capabilities: [code, review]
#     agents: 1           # how many work at a time
#     env: [MY_AGENT_KEY] # what it needs of the environment
`

function poolText(agent: KnownAgent): string {
  const command = [agent.program, ...agent.args]
    .map((part) => (/^[A-Za-z][\w-]*$/.test(part) ? part : `'${part}'`))
    .join(', ')
  const unattended =
    agent.unattended === null ? '' : `    # To let it change files without asking, add: ${agent.unattended}\n`
  return `  ${agent.program}: # ${agent.title}, found on the PATH
${unattended}    command: [${command}]
    capabilities: [code, ${agent.program}]
    agents: 1
    env: [${agent.env.join(', ')}]
`
}

/** A workflow that runs anywhere: it shows inputs, order, outputs, a map and a step that always runs. */
export function exampleText(): string {
  return `# Try it:   leanvibe orchestrate example
# Check it: leanvibe workflows validate example
name: example
description: Looks at a few things side by side, then sums them up.

inputs:
  greeting:
    type: string
    default: hello

steps:
  tools: # one task for each item, as many at a time as there are agents
    map:
      over: [git, node, npm]
      as: tool
      step:
        command: ['\${{ tool }}', --version]
        allowFailure: true

  greet:
    command: [echo, '\${{ inputs.greeting }}']
    outputs:
      words: stdout

  summary: # starts when both have ended
    needs: [tools, greet]
    env: # values reach a script as variables: nothing in them is ever run
      WORDS: \${{ steps.greet.outputs.words }}
    script: |
      echo "$WORDS from $(uname -s)"
    outputs:
      text: stdout

finally:
  goodbye: # runs whatever happened before
    command: [echo, done]

outputs:
  summary: \${{ steps.summary.outputs.text }}
`
}

/** A workflow that gives each top-level folder to an agent; written when an agent was found. */
export function reviewText(agent: KnownAgent): string {
  const text = stringify({
    name: 'review',
    description: `Asks ${agent.title} to review the last commit.`,
    inputs: { focus: { type: 'string', default: 'bugs that a user would notice' } },
    steps: {
      review: {
        agent: {
          prompt: 'Review the last commit of this repository (git show HEAD). Look for ${{ inputs.focus }}. Be brief.',
          depth: 'standard',
        },
        pool: agent.program,
        workspace: 'worktree',
        outputs: { text: 'stdout' },
      },
    },
    outputs: { summary: '${{ steps.review.outputs.text }}' },
  })
  return `# Try it: leanvibe orchestrate review --repo .\n${text}`
}
