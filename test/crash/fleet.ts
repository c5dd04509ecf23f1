import { fileURLToPath } from 'node:url'

const task = fileURLToPath(new URL('task.sh', import.meta.url))

/**
 * A long run for the crash tests: many short tasks, each in a worktree of its own, some of which fail at first; a wait
 * beside them; a last step that needs them all; and one that always runs.
 */
export function fleetWorkflow(place: string, tasks: number): string {
  return `name: fleet
steps:
  work:
    map:
      over: [${Array.from({ length: tasks }, (_, item) => item).join(', ')}]
      as: item
      step:
        command: [bash, ${JSON.stringify(task)}]
        env: { ITEM: '\${{ item }}', PLACE: ${JSON.stringify(place)} }
        workspace: worktree
        retry: { attempts: 2, backoff: { initial: 300ms } }
        outputs: { attempt: json }
  pause:
    wait: { for: 300ms }
  join:
    needs: [work, pause]
    command: [echo, '\${{ size(steps.work.outputs.attempt) }}']
    outputs: { count: json }
finally:
  tidy: { command: [touch, ${JSON.stringify(`${place}/tidied`)}] }
outputs:
  count: \${{ steps.join.outputs.count }}
`
}
