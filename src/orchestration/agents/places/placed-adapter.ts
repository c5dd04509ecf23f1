import type { AgentAdapter, AttemptEnd } from '../agent-adapter.ts'
import type { OpenPlace, Place } from './place.ts'

export interface PlacedAdapterOptions {
  readonly kind: string
  readonly open: OpenPlace
  /** The adapter for what is inside: a command, or an agent that is talked to. */
  readonly inner: (place: Place) => AgentAdapter
}

/** Runs each attempt in a place of its own, which is gone when it ends. */
export function createPlacedAdapter({ kind, open, inner }: PlacedAdapterOptions): AgentAdapter {
  // What budgets bind depends on what is inside, not on where it is.
  const { enforcement } = inner({ start: unopened, close: async () => 0 })
  return {
    kind,
    enforcement,
    async run(assignment, context): Promise<AttemptEnd> {
      const place = await open(assignment, context)
      let end: AttemptEnd
      try {
        end = await inner(place).run(assignment, context)
      } catch (error) {
        await place.close()
        throw error
      }
      const left = await place.close()
      if (left === 0) return end
      const message = `what ran the attempt (${kind}) could not be removed`
      return {
        ...end,
        outcome: 'failed',
        output: null,
        error: { code: 'workspace-busy', message, retry: 'later' },
        survivors: left,
      }
    },
  }
}

async function unopened(): Promise<never> {
  throw new Error('the place is not open')
}
