import { raiseTier } from '../../foundation/kernel/model-tier.ts'
import { depthTable } from '../workflows/depth-table-contract.ts'
import type { ExpressionContext, ResolvedAgent, ResolvedTask } from '../workflows/task-contract.ts'
import { composePrompt } from './compose-prompt.ts'
import type { PersonaFiles } from './persona-files.ts'
import type { Persona } from './personas-contract.ts'

/** A task as its persona does it. Work that names none stays as it is. Throws `persona-unknown`, `persona-invalid`. */
export function applyPersona(task: ResolvedTask, personas: PersonaFiles, context: ExpressionContext): ResolvedTask {
  if (task.kind !== 'agent' || task.persona === undefined) return task
  return asPersona(task, personas.find(task.persona), context)
}

function asPersona(task: ResolvedAgent, persona: Persona, context: ExpressionContext): ResolvedAgent {
  const { stepId, depth, prompt } = task
  const preferred = [...(task.placement?.preferredCapabilities ?? []), ...persona.capabilities]
  const placement = {
    ...task.placement,
    ...(preferred.length === 0 ? {} : { preferredCapabilities: distinct(preferred) }),
  }
  return {
    ...task,
    prompt: composePrompt({ persona, task: prompt, step: stepId, depth, context }),
    tier: raiseTier(persona.tier, depthTable[depth].raise),
    capabilities: distinct([...task.capabilities, ...persona.requires]),
    ...(Object.keys(placement).length === 0 ? {} : { placement }),
    ...(persona.tools === undefined ? {} : { tools: persona.tools }),
  }
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}
