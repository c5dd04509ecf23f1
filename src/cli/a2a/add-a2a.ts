import { loadRemoteCard } from '../../app/remote-card.ts'
import { showRegistered } from '../../external-api/registry/registry-contract.ts'
import type { AddAgentOptions } from '../add-agent.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { nameOfTarget } from '../registry/name-of-target.ts'
import { writeSetting } from '../write-setting.ts'

/** Adds a pool for a remote agent: its card is read and checked, and tells what it can do. */
export async function addA2a(context: CliContext, argv: readonly string[], options: AddAgentOptions): Promise<void> {
  const what = options.url ?? argv[0]
  if (what === undefined) {
    throw cliErrors['agent-unknown'](
      'a2a needs the URL of the card of the agent, of the site it is the card of, or its name in the registry',
    )
  }
  const card = URL.canParse(what) ? what : await cardInRegistry(context, what)
  const { out, cwd, env, globals } = context
  const auth = options.secret ?? null
  const { agent, secretKnown } = await loadRemoteCard({ cwd, env, config: globals.config, card, secret: auth })
  const name = options.name ?? poolNameOf(card)
  const pool = {
    kind: 'a2a',
    a2a: { card, ...(auth === null ? {} : { auth: { bearer: auth } }) },
    capabilities: options.capability ?? [...agent.capabilities],
    agents: options.agents ?? 1,
  }
  const place = { path: ['pools', name], called: `a pool ${name}`, force: options.force === true }
  const file = await writeSetting(context, place, pool)
  out.document({ type: 'agent-added', pool: name, file, ...pool })
  const can = agent.streaming ? 'streams' : 'is asked again and again'
  out.lines(`${out.colors.green('✔')} pool ${name} in ${file}: ${agent.card.name}, which ${can}`)
  if (auth !== null && !secretKnown) {
    out.lines(`${out.colors.cyan('next')}  name the secret ${auth} under \`secrets\` in ${file}`)
  } else
    out.lines(
      `${out.colors.cyan('next')}  leanvibe spawn --pool ${name} --task "..."   a server that runs must be restarted`,
    )
}

/** The card of a remote agent that is published. @throws registry-entry-not-found, agent-unknown */
async function cardInRegistry(context: CliContext, name: string): Promise<string> {
  return withConnection(context, { work: false }, async ({ client }) => {
    const { kind, target } = await client.call(showRegistered, { params: { name } })
    if (kind !== 'a2a') throw cliErrors['agent-unknown'](`${name} is published as ${kind}, not as a remote A2A agent`)
    return target
  })
}

/** Names of pools begin with a letter and hold no dots. */
function poolNameOf(card: string): string {
  const name = nameOfTarget(card).replaceAll('.', '-').slice(0, 57)
  return /^[a-z]/.test(name) ? name : `agent-${name}`
}
