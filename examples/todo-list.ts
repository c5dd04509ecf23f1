import { defineWorkflow } from 'leanvibe'

/** Finds TODO comments, one search for each kind of file, and joins them: `leanvibe orchestrate examples/todo-list.ts --repo .` */
const kinds = ['ts', 'js', 'py', 'go']

export default defineWorkflow({
  name: 'todo-list',
  description: 'The same language in TypeScript: types while you write, the same checks when it is loaded.',
  inputs: { word: { description: 'What to look for.', default: 'TODO' } },
  steps: {
    search: {
      map: {
        over: kinds,
        as: 'kind',
        step: {
          // git grep exits with 1 where it finds nothing.
          script: 'git -C "$REPO" grep -n -F -e "$WORD" "$COMMIT" -- "*.$KIND" || test $? -eq 1',
          env: {
            REPO: '${{ repo.path }}',
            COMMIT: '${{ repo.commit }}',
            WORD: '${{ inputs.word }}',
            KIND: '${{ kind }}',
          },
          outputs: { found: 'stdout' },
        },
      },
    },
    join: {
      needs: ['search'],
      command: ['printf', '%s\\n', '${{ steps.search.outputs.found.filter(text, text != "").join("\\n") }}'],
      outputs: { list: 'stdout' },
    },
  },
  outputs: { list: '${{ steps.join.outputs.list }}' },
})
