import { z } from '../../foundation/kernel/schema.ts'
import { closed, durationField, identifierField, jsonField, labelField, workflowNameField } from './field-contract.ts'
import {
  budgetSchema,
  concurrencySchema,
  depthSchema,
  environmentSchema,
  type outputSourceSchema,
  resourcesSchema,
  retrySchema,
} from './policies-contract.ts'
import {
  argvField,
  commonShape,
  type gateCheckSchema,
  type mappedStepSchema,
  type mergeMethods,
  stepSchema,
  workShape,
} from './steps-contract.ts'

export const inputSchema = closed({
  type: z.enum(['string', 'number', 'boolean', 'json']).default('string'),
  description: z.string().max(2_000).optional(),
  default: jsonField.optional(),
  required: z.boolean().optional().describe('Default: true where there is no default.'),
  enum: z
    .array(z.union([z.string(), z.number()]))
    .min(1)
    .optional(),
})

export const defaultsSchema = closed({
  retry: retrySchema.optional(),
  timeout: durationField.optional(),
  pool: labelField.optional(),
  priority: commonShape.priority,
  resources: resourcesSchema.optional(),
  workspace: workShape.workspace,
  depth: depthSchema.optional(),
})

export const workflowSchema = closed({
  name: workflowNameField,
  version: z.string().min(1).max(100).optional().describe('A label for people; versions are told apart by content.'),
  description: z.string().max(10_000).optional(),
  inputs: z.record(identifierField, inputSchema).default({}),
  env: environmentSchema.optional().describe('For every process of the run, and as `env` in expressions.'),
  defaults: defaultsSchema.optional(),
  timeout: durationField.optional().describe('The whole run, finally steps excepted.'),
  priority: commonShape.priority,
  budget: budgetSchema.optional(),
  concurrency: concurrencySchema.optional(),
  checkpoints: closed({
    every: durationField.optional(),
    beforeRisky: z.boolean().optional().describe('Default true.'),
  }).optional(),
  steps: z.record(identifierField, stepSchema),
  finally: z.record(identifierField, stepSchema).default({}).describe('Steps that run at the end, whatever happened.'),
  outputs: z.record(identifierField, jsonField).default({}).describe('The results of the run.'),
  onEnd: argvField.optional().describe('A command that is told when the run has ended.'),
})

/** A workflow after parsing: what is stored, printed, hashed and run. It is itself a valid source. */
export type WorkflowDefinition = z.output<typeof workflowSchema>
/** A workflow as its author writes it (short forms allowed, defaults left out). */
export type WorkflowSource = z.input<typeof workflowSchema>
export type Step = z.output<typeof stepSchema>
export type StepKind = Step['kind']
export type StepOf<Kind extends StepKind> = Extract<Step, { kind: Kind }>
export type MappedStep = z.output<typeof mappedStepSchema>
export type GateCheck = z.output<typeof gateCheckSchema>
export type MergeMethod = (typeof mergeMethods)[number]
export type WorkflowInput = z.output<typeof inputSchema>
export type OutputSource = z.output<typeof outputSourceSchema>
export type RetryPolicy = z.output<typeof retrySchema>
export type Depth = z.output<typeof depthSchema>

/** The key that says what a step does. */
export const stepKinds = [
  'command',
  'script',
  'agent',
  'map',
  'approval',
  'gate',
  'merge',
  'wait',
  'workflow',
] as const satisfies readonly StepKind[]

/** Refused beyond. */
export const workflowLimits = Object.freeze({
  /** Bytes of a file. */
  fileBytes: 1_048_576,
  /** Steps and finally steps together. */
  steps: 2_000,
  /** Levels of nesting in a file. */
  depth: 40,
  /** Aliases (`*name`) that a file may expand to. */
  aliases: 100,
  /** Characters of one expression. */
  expression: 4_096,
  /** Items of a map. */
  mapItems: 10_000,
})

export type { ExpressionContext, RepoView, ResolvedTask, RunView, StepView } from './task-contract.ts'
