import { defineErrors } from '../../foundation/kernel/errors.ts'

export const workflowErrors = defineErrors({
  'workflow-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a workflow definition is refused; the message has one line for each problem, with file, line and column',
    next: 'correct the lines that are named; docs/guides/workflows.md describes the language',
  },
  'workflow-inputs-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the inputs given to a run do not fit the inputs that its workflow declares',
    next: 'run `leanvibe workflows show NAME` to see the inputs, and pass each as --input name=value',
  },
  'expression-failed': {
    kind: 'input',
    retry: 'never',
    when: 'a ${{ }} expression of a workflow has no value: a key is missing, types do not fit, or it would cost too much',
    next: 'correct the expression that the message shows, or what the earlier step puts out',
  },
  'workflow-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no workflow of that name comes with the program, lies in the project or is stored',
    next: 'list them with `leanvibe workflows list`, or pass the path of a file',
  },
})
