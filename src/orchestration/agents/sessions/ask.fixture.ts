import type { AskAnswer, AskPort, AskQuestion } from '../ask-contract.ts'

/** People in tests: what they are asked, and what they say. Without an answer the default holds at the deadline. */
export class ScriptedPeople implements AskPort {
  readonly questions: AskQuestion[] = []
  /** Null: nobody is there. */
  answer: ((question: AskQuestion) => Partial<AskAnswer>) | null = null

  ask(question: AskQuestion, signal: AbortSignal): Promise<AskAnswer> {
    this.questions.push(question)
    const said = this.answer?.(question)
    if (said !== undefined) {
      return Promise.resolve({ choice: null, text: null, by: 'ada', expired: false, ...said })
    }
    return new Promise((resolve, reject) => {
      const late = () => resolve({ choice: question.defaultChoice, text: null, by: 'deadline', expired: true })
      const timer = question.deadlineMs === null ? null : setTimeout(late, question.deadlineMs)
      const onAbort = () => {
        if (timer !== null) clearTimeout(timer)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
    })
  }
}
