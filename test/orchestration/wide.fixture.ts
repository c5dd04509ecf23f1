/** A workflow of one step with so many tasks, each of which may fail; `more` are further lines of it, such as its budget. */
export const wideWorkflow = (count: number, { timeout = '10s', more = '' } = {}) => `
name: wide
${more}
defaults: { timeout: ${timeout} }
steps:
  each:
    map:
      over: [${Array.from({ length: count }, (_, n) => n).join(', ')}]
      tolerate: ${count}
      step: { command: [do] }
`
