/** What is asked of an agent whose context is about to be full. */
export const summaryRequest =
  'Your context is nearly full, and you will go on in a fresh one that knows nothing of this conversation but what you write now. Write down all that you need to finish the task: what was asked, what you have done (files and commands, by name), what you have found out, what is still to be done, in order. Do not call any tool.'

/** The task again, with what the agent wrote down of its work so far. */
export function continuedPrompt(task: string, summary: string): string {
  return `${task}\n\nYou have begun this task before. Your context was full, so you wrote this down for yourself; the files are as you left them:\n\n${summary}`
}
