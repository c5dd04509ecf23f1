export { defineWorkflow } from './define-workflow.ts'
export { type DepthSettings, depthTable } from './depth-table.ts'
export { evaluateCel, evaluateCondition, evaluateJson, evaluateTemplate, evaluateText } from './expressions.ts'
export { buildGraph, findCycle, type StepGraph } from './graph.ts'
export { hashDefinition } from './hash-definition.ts'
export { type ParsedWorkflow, parseWorkflow } from './parse-workflow.ts'
export { printWorkflow } from './print-workflow.ts'
export { formatProblem, type Problem } from './problem.ts'
export { referencedSteps } from './referenced-steps.ts'
export {
  evaluateIf,
  eventMatches,
  itemNameOf,
  resolveItem,
  resolveOnEnd,
  resolveOutputs,
  resolveStep,
  stepOf,
} from './resolve-step.ts'
export { workflowErrors } from './workflow-errors.ts'
export { readInputTexts, resolveInputs } from './workflow-inputs.ts'
