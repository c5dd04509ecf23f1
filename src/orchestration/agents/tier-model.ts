import { modelOfTier, type TierModels } from '../../foundation/kernel/model-tier.ts'
import type { AgentAdapter, AttemptContext } from './agent-adapter.ts'

/**
 * Gives prompts the model that the pool names for their tier, as the setting `model`, which adapters pass on. What a step
 * says in its own `config` goes before.
 */
export function withTierModel(adapter: AgentAdapter, models: TierModels): AgentAdapter {
  if (Object.keys(models).length === 0) return adapter
  return {
    kind: adapter.kind,
    enforcement: adapter.enforcement,
    run(assignment, context) {
      const { spec } = assignment
      const model = spec.kind === 'agent' ? modelOfTier(models, spec.tier ?? 'standard') : null
      if (model === null) return adapter.run(assignment, context)
      return adapter.run(assignment, withConfig(context, { model, ...context.config }))
    },
  }
}

/** Field by field: a context may be an object with getters. */
function withConfig(context: AttemptContext, config: AttemptContext['config']): AttemptContext {
  const { signal, workdir, outdir, tempdir, tree, env, masker } = context
  return {
    ...{ signal, workdir, outdir, tempdir, tree, env, masker, config },
    get ending() {
      return context.ending ?? null
    },
    progress: (note) => context.progress(note),
    log: (stream, chunk) => context.log(stream, chunk),
  }
}
