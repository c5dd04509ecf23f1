import { defineErrors } from '../../../foundation/kernel/errors.ts'

/** What a model at work is told when a tool does not do what it wants; attempts do not fail by them. */
export const llmErrors = defineErrors({
  'tool-input-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a model called a tool with arguments that do not fit',
    next: 'the model is told what was expected, and may call it again',
  },
  'tool-failed': {
    kind: 'input',
    retry: 'never',
    when: 'a tool could not do what a model asked of it, such as to read a file that is not there',
    next: 'the model is told why; see `leanvibe runs logs`',
  },
})
