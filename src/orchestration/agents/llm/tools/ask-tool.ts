import { z } from '../../../../foundation/kernel/schema.ts'
import type { SessionContext } from '../../sessions/agent-session.ts'
import { defineTool } from './define-tool.ts'
import type { Tool } from './tool.ts'

/** Questions to the people who look after the fleet. */
export function createAskTool(context: SessionContext, deadlineMs: number | null): Tool {
  let asked = 0
  return defineTool({
    name: 'ask',
    kind: null,
    description:
      'Asks the people who look after you, and waits for the answer. Only where you cannot go on without it. `choices` are answers to pick from; without them they answer in words.',
    input: z.strictObject({
      question: z.string().min(1).max(4_000),
      choices: z.array(z.string().min(1).max(500)).min(2).max(20).optional(),
      expected: z.string().min(1).max(500).optional().describe('of the choices the one you would take yourself'),
      confidence: z.number().min(0).max(1).optional().describe('how sure you are already'),
      risk: z.number().min(0).max(1).optional().describe('how much is at stake'),
    }),
    title: (input) => input.question,
    async call({ question, choices = [], expected, confidence, risk }) {
      asked += 1
      const own = expected === undefined ? -1 : choices.indexOf(expected)
      const answer = await context.ask({
        ...{ key: `ask/${asked}`, kind: 'question', message: question },
        choices: choices.map((label, n) => ({ id: String(n + 1), label })),
        ...{ freeText: choices.length === 0, deadlineMs, details: {} },
        // Where it is sure enough, or nobody answers in time, that is the answer.
        defaultChoice: own < 0 ? null : String(own + 1),
        ...(confidence === undefined ? {} : { confidence }),
        ...(risk === undefined ? {} : { risk }),
      })
      if (answer.choice === null && answer.text === null)
        return 'Nobody has answered. Decide yourself, or say what is missing.'
      const chosen = answer.choice === null ? null : (choices[Number(answer.choice) - 1] ?? answer.choice)
      return [chosen, answer.text].filter((part) => part !== null).join('\n')
    },
  })
}
