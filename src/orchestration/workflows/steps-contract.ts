import { z } from '../../foundation/kernel/schema.ts'
import { builtInChecks, riskSchema } from '../gates/checks-contract.ts'
import { askingConfidenceSchema, askingShape, choiceSchema, questionsOfStepSchema } from './asking-contract.ts'
import {
  closed,
  durationField,
  expressionField,
  identifierField,
  jsonField,
  labelField,
  textField,
  workflowNameField,
} from './field-contract.ts'
import { placementShape } from './placement-contract.ts'
import {
  budgetSchema,
  concurrencySchema,
  depthSchema,
  environmentSchema,
  outputsSchema,
  relativePath,
  resourcesSchema,
  retrySchema,
} from './policies-contract.ts'

export const commonShape = {
  name: z.string().max(200).optional().describe('A title for people.'),
  description: z.string().max(2_000).optional(),
  needs: z
    .union([identifierField.transform((id) => [id]), z.array(identifierField).max(2_000)])
    .default([])
    .describe('The steps that must have ended well before this one starts.'),
  if: expressionField.optional().describe('The step is skipped where this is false.'),
  timeout: durationField.optional(),
  priority: z.int().min(1).max(10).optional().describe('1 to 10, higher first. Default 5.'),
  labels: z.record(labelField, z.string()).optional(),
  risky: z.boolean().optional().describe('A checkpoint is made before it starts.'),
  allowFailure: z.boolean().optional().describe('When it fails the run goes on as if it had ended well.'),
}

function baseField() {
  return textField
    .optional()
    .describe('The commit or branch at which the worktree starts. Default: the commit of the run. May hold ${{ }}.')
}

function pathsField() {
  return z
    .union([z.string().min(1), z.array(textField).min(1).max(200)])
    .optional()
    .describe(
      'The files it means to change, by glob, or ${{ }} that gives such a list: two pieces of work on the same files are not done at a time.',
    )
}

export const workShape = {
  ...commonShape,
  retry: retrySchema.optional(),
  resources: resourcesSchema.optional(),
  budget: budgetSchema.optional(),
  concurrency: concurrencySchema.optional(),
  pool: labelField.optional(),
  ...placementShape,
  workspace: z.enum(['none', 'worktree']).optional().describe('worktree: a git worktree of its own. Default none.'),
  base: baseField(),
  paths: pathsField(),
  onOverlap: z
    .enum(['wait', 'warn'])
    .optional()
    .describe(
      'Where other work means to change the same `paths`: wait until it has ended, or only tell. Default wait.',
    ),
  env: environmentSchema.optional(),
  outputs: outputsSchema.optional(),
}

export const argvField = z.array(textField).min(1).max(10_000)

export const commandStepSchema = closed({
  kind: z.literal('command').default('command'),
  command: argvField.describe('Program and arguments. No shell: each element reaches the program as it is.'),
  stdin: textField.optional().describe('Written to the standard input of the program.'),
  ...workShape,
}).meta({ id: 'commandStep' })

export const scriptStepSchema = closed({
  kind: z.literal('script').default('script'),
  script: z.string().min(1).describe('The text of the script. It must not hold ${{ }}: values arrive through env.'),
  interpreter: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Program and arguments that read the script from a file. Default [bash, -eu].'),
  ...workShape,
}).meta({ id: 'scriptStep' })

const agentTaskSchema = closed({
  prompt: textField.describe('What the agent is to do. May hold ${{ }}.'),
  persona: textField
    .optional()
    .describe(
      'The prompt file that says who does it, such as reviewer. May hold ${{ }}; none where that gives nothing.',
    ),
  depth: depthSchema.optional().describe('Sets time, budget, the tier of the model and a label. Default standard.'),
  config: z
    .record(z.string().min(1).max(128), textField)
    .optional()
    .describe('Settings of the adapter. May hold secrets.'),
  questions: questionsOfStepSchema.optional(),
})

export const agentStepSchema = closed({
  kind: z.literal('agent').default('agent'),
  agent: z
    .union([textField.transform((prompt): z.output<typeof agentTaskSchema> => ({ prompt })), agentTaskSchema])
    .describe('A task for an agent that has the capabilities.'),
  ...workShape,
}).meta({ id: 'agentStep' })

const workflowCallSchema = closed({
  name: workflowNameField,
  version: z.string().min(1).max(100).optional(),
  inputs: z.record(identifierField, jsonField).optional(),
})

export const workflowStepSchema = closed({
  kind: z.literal('workflow').default('workflow'),
  workflow: z
    .union([workflowNameField.transform((name): z.output<typeof workflowCallSchema> => ({ name })), workflowCallSchema])
    .describe('A run of another workflow.'),
  ...commonShape,
  retry: retrySchema.optional(),
  budget: budgetSchema.optional(),
  concurrency: concurrencySchema.optional(),
}).meta({ id: 'workflowStep' })

export const approvalStepSchema = closed({
  kind: z.literal('approval').default('approval'),
  approval: closed({
    message: textField.describe('What people read.'),
    ...askingShape,
    choices: z.array(choiceSchema).min(1).max(50).optional().describe('Answers on offer. Default: yes or no.'),
    freeText: z.boolean().optional().describe('Whether words are an answer.'),
    confidence: askingConfidenceSchema
      .optional()
      .describe('Where it is given, the policy decides by it whether anybody is asked.'),
  }),
  ...commonShape,
}).meta({ id: 'approvalStep' })

const verdictSchema = z.enum(['block', 'review'])

const builtInCheckSchema = closed({
  check: z
    .enum(builtInChecks)
    .describe('tests, coverage, lint, types and security are done by the commands that the repository has for them.'),
  name: z.string().min(1).max(100).optional().describe('Default: the check itself.'),
  command: argvField.optional().describe('What does it. Default: what is found in the repository.'),
  setup: argvField.optional().describe('What makes its commands possible, such as [npm, ci]. Default: what is found.'),
  report: relativePath().optional().describe('coverage: the file in which it is told. Default: the usual places.'),
  min: z.number().min(0).max(100).optional().describe('coverage: percent. Default: 85 passes, under 60 blocks.'),
  max: z
    .int()
    .min(0)
    .optional()
    .describe('size: lines, default 500. security: findings; default: any asks for a review, more than 5 block.'),
  agent: textField.optional().describe('confidence: how sure the one who did it is, 0 to 1. May hold ${{ }}.'),
  reviewer: textField.optional().describe('confidence: how sure the one who read it is, 0 to 1. May hold ${{ }}.'),
  risks: z.array(riskSchema).optional().describe('confidence: what is at stake, beside what the change itself shows.'),
  type: labelField.optional().describe('confidence: what kind of work it is. Default: the workflow and its step.'),
  onFail: z.enum(['block', 'review', 'allow']).optional().describe('Default: as grave as what was found.'),
}).meta({ id: 'builtInCheck' })

export const gateCheckSchema = z.union([
  closed({
    name: z.string().min(1).max(100),
    command: argvField.describe('Passes when it exits with 0.'),
    onFail: verdictSchema.optional().describe('Default: the onFail of the gate.'),
  }),
  z.enum(builtInChecks).transform((check): z.output<typeof builtInCheckSchema> => ({ check })),
  builtInCheckSchema,
  closed({
    name: z.string().min(1).max(100),
    condition: expressionField.describe('Passes when it is true.'),
    summary: textField
      .optional()
      .describe('What is told beside its name, such as why it does not pass. May hold ${{ }}.'),
    onFail: verdictSchema.optional(),
  }),
])

export const gateStepSchema = closed({
  kind: z.literal('gate').default('gate'),
  gate: closed({
    checks: z.array(gateCheckSchema).min(1).max(100),
    onFail: z
      .enum(['block', 'review', 'allow'])
      .optional()
      .describe('block: the step fails; review: a person decides; allow: it is only noted. Default block.'),
    ...askingShape,
  }),
  ...commonShape,
  retry: retrySchema.optional(),
  resources: resourcesSchema.optional(),
  pool: labelField.optional(),
  ...placementShape,
  workspace: z.enum(['none', 'worktree']).optional(),
  base: baseField(),
  env: environmentSchema.optional(),
}).meta({ id: 'gateStep' })

export const mergeMethods = ['rebase', 'merge', 'squash'] as const

export const mergeStepSchema = closed({
  kind: z.literal('merge').default('merge'),
  merge: closed({
    commit: textField.describe('What is brought in, usually ${{ steps.ID.outputs.commit }}.'),
    into: textField.optional().describe('The branch. Default: that of the run. May hold ${{ }}.'),
    method: z.enum(mergeMethods).optional().describe('rebase: each commit again, on top. Default rebase.'),
    checks: z
      .array(gateCheckSchema)
      .max(100)
      .optional()
      .describe('What must pass on the result, before the branch moves. Default [tests].'),
    onConflict: z
      .enum(['fail', 'hand-back'])
      .optional()
      .describe('hand-back: the step ends well and puts the conflict out, for a next step to solve. Default fail.'),
    message: textField.optional().describe('Of a merge commit, or of one squashed. May hold ${{ }}.'),
    batch: z
      .int()
      .min(1)
      .max(50)
      .optional()
      .describe(
        'How many merges of the queue may be tested together with it, itself included; 1: it goes alone. Default: merges.batch of the server, which is 1.',
      ),
  }),
  ...commonShape,
  retry: retrySchema.optional(),
  resources: resourcesSchema.optional(),
  pool: labelField.optional(),
  ...placementShape,
  env: environmentSchema.optional(),
}).meta({ id: 'mergeStep' })

/** What a map does for each item. It has no id of its own: its tasks are named after the map and the index. */
export const mappedStepSchema = z.discriminatedUnion('kind', [
  commandStepSchema,
  scriptStepSchema,
  agentStepSchema,
  mergeStepSchema,
  workflowStepSchema,
])

export const mapStepSchema = closed({
  kind: z.literal('map').default('map'),
  map: closed({
    over: z
      .union([z.string(), z.array(jsonField)])
      .describe('A list, or ${{ }} that gives one. A map gives its keys, sorted.'),
    as: identifierField.optional().describe('The name of the item inside. Default item.'),
    parallel: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe('How many items at once. Default: as many as agents allow.'),
    tolerate: z
      .union([z.int().min(0), z.string().regex(/^\d{1,3}%$/, 'expected a number of items or a share such as 10%')])
      .optional()
      .describe('How many items may fail before the step fails. Default 0.'),
    step: mappedStepSchema,
  }),
  ...commonShape,
}).meta({ id: 'mapStep' })

export const waitStepSchema = closed({
  kind: z.literal('wait').default('wait'),
  wait: z.union([
    closed({ for: durationField.describe('How long.') }),
    closed({
      event: labelField.describe('The type of the event.'),
      match: expressionField
        .optional()
        .describe('CEL over `event`; the first event for which it is true ends the wait.'),
    }),
  ]),
  ...commonShape,
}).meta({ id: 'waitStep' })

export const stepSchema = z.discriminatedUnion('kind', [
  commandStepSchema,
  scriptStepSchema,
  agentStepSchema,
  mapStepSchema,
  approvalStepSchema,
  gateStepSchema,
  mergeStepSchema,
  waitStepSchema,
  workflowStepSchema,
])
