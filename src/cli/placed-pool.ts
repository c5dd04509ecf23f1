import { cliErrors } from './cli-errors.ts'

/** What `leanvibe agents add container` and `... kubernetes` take besides. */
export interface PlacedPoolOptions {
  readonly image?: string
  readonly acp?: boolean
  readonly mode?: 'job' | 'pod'
  readonly namespace?: string
  readonly context?: string
  readonly network?: 'open' | 'models' | 'off'
}

export function isPlaced(what: string): what is 'container' | 'kubernetes' {
  return what === 'container' || what === 'kubernetes'
}

/** The parts of a pool that say where its agents run, and what they are there. @throws agent-unknown */
export function placedPool(what: 'container' | 'kubernetes', command: readonly string[], options: PlacedPoolOptions) {
  const { image, acp, mode, namespace, context, network } = options
  if (image === undefined) throw cliErrors['agent-unknown'](`${what} needs --image: where the agent is`)
  const settings =
    what === 'container'
      ? {
          image,
          ...(network === undefined || network === 'off' ? {} : { network: network === 'open' ? 'bridge' : network }),
        }
      : {
          image,
          // Who is talked to wants a connection that lasts.
          mode: mode ?? (acp === true ? 'pod' : 'job'),
          ...(namespace === undefined ? {} : { namespace }),
          ...(context === undefined ? {} : { context }),
          ...(network === undefined || network === 'off' ? {} : { network }),
        }
  return { kind: what, command, [what]: settings, ...(acp === true ? { acp: {} } : {}) }
}
