import type { StepLanguage } from '../runs/step-language.ts'
import type { ExpressionContext, RunView } from '../workflows/task-contract.ts'
import { applyPersona } from './apply-persona.ts'
import type { PersonaFiles } from './persona-files.ts'

export interface PersonaLanguageOptions {
  readonly personas: PersonaFiles
  /** Whether any pool takes prompts: expressions see it as `run.agents`. */
  readonly hasAgents: () => boolean
}

/** The workflow language with personas: agents' tasks leave it with their whole prompt, tier and capabilities. */
export function withPersonas(language: StepLanguage, { personas, hasAgents }: PersonaLanguageOptions): StepLanguage {
  /** The same view for the same run, so that what is prepared for one item of a map serves the next. */
  const views = new WeakMap<RunView, RunView>()
  const see = (context: ExpressionContext): ExpressionContext => {
    let run = views.get(context.run)
    if (run === undefined) {
      run = { ...context.run, agents: hasAgents() }
      views.set(context.run, run)
    }
    return { ...context, run }
  }
  return {
    ...language,
    evaluateIf: (definition, step, context) => language.evaluateIf(definition, step, see(context)),
    resolveStep: (definition, step, context) =>
      applyPersona(language.resolveStep(definition, step, see(context)), personas, context),
    resolveItem: (definition, step, context) =>
      applyPersona(language.resolveItem(definition, step, see(context)), personas, context),
    resolveOutputs: (definition, context) => language.resolveOutputs(definition, see(context)),
    resolveOnEnd: (definition, context) => language.resolveOnEnd(definition, see(context)),
  }
}
