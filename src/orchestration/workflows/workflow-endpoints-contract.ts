import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

export const workflowSummarySchema = z.object({
  name: z.string(),
  description: z.string().nullable(),
  /** `built-in`: comes with the program; `project`: a file of the project; `stored`: kept because a run used it. */
  origin: z.enum(['built-in', 'project', 'stored']),
  /** Version of the stored definition; null before its first run. */
  version: z.int().nullable(),
  steps: z.int(),
})
export type WorkflowSummary = z.infer<typeof workflowSummarySchema>

export const workflowDetailSchema = workflowSummarySchema.extend({
  /** The definition as YAML. */
  source: z.string(),
  inputs: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      required: z.boolean(),
      default: z.json().optional(),
      description: z.string().nullable(),
    }),
  ),
  graph: z.array(z.object({ id: z.string(), kind: z.string(), needs: z.array(z.string()), finally: z.boolean() })),
})
export type WorkflowDetail = z.infer<typeof workflowDetailSchema>

/** A finding about a definition. `line` and `column` count from 1. */
export const definitionProblemSchema = z.object({
  file: z.string(),
  line: z.int().nullable(),
  column: z.int().nullable(),
  /** Where in the terms of the definition: `steps.build.command[0]`. */
  path: z.string(),
  message: z.string(),
  expected: z.string().nullable(),
})
export type DefinitionProblem = z.infer<typeof definitionProblemSchema>

export const validationSchema = z.object({
  valid: z.boolean(),
  name: z.string().nullable(),
  steps: z.int(),
  problems: z.array(definitionProblemSchema),
  warnings: z.array(definitionProblemSchema),
})
export type Validation = z.infer<typeof validationSchema>

export const listWorkflows = endpoint({
  method: 'GET',
  path: '/api/v1/workflows',
  summary: 'Lists the workflows that can be started by name.',
  output: z.object({ items: z.array(workflowSummarySchema) }),
})

export const showWorkflow = endpoint({
  method: 'GET',
  path: '/api/v1/workflows/:name',
  summary: 'Shows a workflow: source, inputs and graph.',
  params: z.object({ name: z.string().min(1).max(200) }),
  output: workflowDetailSchema,
})

export const validateWorkflow = endpoint({
  method: 'POST',
  path: '/api/v1/workflows/validate',
  summary:
    'Checks a definition, and the inputs if given, without starting anything. Findings are an answer, not an error.',
  body: z.object({
    /** Exactly one of `workflow` and `source`. */
    workflow: z.string().max(200).optional(),
    source: z.object({ text: z.string(), fileName: z.string() }).optional(),
    inputs: z.record(z.string(), z.json()).optional(),
  }),
  output: validationSchema,
})
