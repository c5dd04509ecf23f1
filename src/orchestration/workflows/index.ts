export { defineWorkflow } from './define-workflow.ts'
export { buildGraph, type StepGraph } from './graph.ts'
export { type ParsedWorkflow, parseWorkflow } from './parse-workflow.ts'
export { printWorkflow } from './print-workflow.ts'
export type { Problem } from './problem.ts'
export { referencedSteps } from './referenced-steps.ts'
export {
  evaluateIf,
  eventMatches,
  itemNameOf,
  resolveItem,
  resolveOnEnd,
  resolveOutputs,
  resolveStep,
} from './resolve-step.ts'
export { readInputTexts, resolveInputs } from './workflow-inputs.ts'
