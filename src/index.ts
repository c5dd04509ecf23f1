/** What a program may use of LeanVibe: workflows and functions in TypeScript, and the errors it throws. The client is `leanvibe/client`. */
export { AppError, type ErrorKind, isAppError } from './foundation/kernel/errors.ts'
export type {
  AgentFunction,
  FunctionAnswer,
  FunctionContext,
  FunctionQuestion,
  FunctionTask,
  FunctionUsage,
} from './orchestration/agents/function/function-contract.ts'
export { defineWorkflow, type ParsedWorkflow, parseWorkflow, printWorkflow } from './orchestration/workflows/index.ts'
export type { WorkflowDefinition, WorkflowSource } from './orchestration/workflows/workflow-contract.ts'
