import { defineErrors } from '../foundation/kernel/errors.ts'

export const cliErrors = defineErrors({
  usage: {
    kind: 'input',
    retry: 'never',
    when: 'a command line is not understood',
    next: 'add --help to the command to see what it takes',
  },
  'run-failed': {
    kind: 'input',
    retry: 'never',
    when: 'a run that the command waited for has failed',
    next: 'read its logs with `leanvibe runs logs RUN`, then repeat it with `leanvibe runs retry RUN`',
  },
  'webhook-not-delivered': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a delivery that the command waited for was not taken by its receiver',
    next: 'look at the receiver; the delivery is tried again for a day, see `leanvibe webhook --action deliveries --id DELIVERY`',
  },
  'no-agent': {
    kind: 'input',
    retry: 'never',
    when: 'a task needs an agent that takes prompts, but no pool has one',
    next: 'declare a pool under `pools:` in leanvibe.yaml; `leanvibe init` writes one for each agent it finds on the PATH',
  },
  'no-repository': {
    kind: 'input',
    retry: 'never',
    when: 'a workflow that works on a repository is started without one',
    next: 'add --repo FOLDER; `--repo .` is the repository you are in',
  },
  'step-not-in-run': {
    kind: 'not-found',
    retry: 'never',
    when: 'a step or task is named that a run does not have',
    next: 'see its steps and tasks with `leanvibe runs show RUN`',
  },
  'pool-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'a pool is added whose name leanvibe.yaml has already',
    next: 'give it another name with --name, or write over it with --force',
  },
  'agent-unknown': {
    kind: 'input',
    retry: 'never',
    when: '`leanvibe agents add` is asked for an agent that it does not know, without a command',
    next: 'name one of claude, codex, gemini, opencode, qwen, goose; or say acp, command or mcp and the program after --, http, a2a or llm and an address or model, function and a module, container or kubernetes with --image',
  },
  'task-unknown': {
    kind: 'not-found',
    retry: 'never',
    when: 'a review names a task that its run does not have',
    next: 'list the tasks with `leanvibe runs show RUN`',
  },
  'approval-unclear': {
    kind: 'conflict',
    retry: 'never',
    when: 'a review is to answer what its run waits for, and that is nothing, or several things',
    next: 'answer one with `leanvibe approvals approve ID` or `leanvibe approvals reject ID`',
  },
  'choice-missing': {
    kind: 'input',
    retry: 'never',
    when: 'approve or reject is said to a question that has no such choice',
    next: 'see its choices with `leanvibe approvals list`, then `leanvibe approvals answer ID --choice CHOICE`',
  },
  'answer-missing': {
    kind: 'input',
    retry: 'never',
    when: '`leanvibe approvals answer` is called without an answer',
    next: 'say --choice CHOICE or --text WORDS; yes and no are `leanvibe approvals approve ID` and `leanvibe approvals reject ID`',
  },
  'file-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'a command would write over a file that is there',
    next: 'move the file away, or add --force',
  },
  'file-not-written': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a file that a command should write cannot be written',
    next: 'check the folder, its permissions and the free space; results stay with their run, see `leanvibe runs show RUN`',
  },
  'server-silent': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a process holds the data folder but does not answer',
    next: 'wait until it has started or ended, or stop it; `leanvibe doctor` shows its pid',
  },
  'server-not-started': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the background server ended or stayed silent before it could take work',
    next: 'read serve.log in the data folder, or run `leanvibe serve` in the foreground',
  },
  'server-needs-key': {
    kind: 'input',
    retry: 'never',
    when: 'a call is for a server elsewhere, and there is no key for it',
    next: 'give --key KEY, or LEANVIBE_KEY in the environment, where no list of processes shows it; `leanvibe keys create NAME --role operator` on the server makes one',
  },
  'join-needs-key': {
    kind: 'input',
    retry: 'never',
    when: '`leanvibe work` is to join a server by its address and has no key for it',
    next: 'give --key KEY, or LEANVIBE_KEY in the environment, where no list of processes shows it; `leanvibe keys create NAME --role admin` on the server makes one',
  },
  'join-needs-postgres': {
    kind: 'input',
    retry: 'never',
    when: '`leanvibe work` is given no PostgreSQL to join: an embedded database belongs to one process',
    next: 'start PostgreSQL, run `leanvibe serve` with DATABASE_URL, and join with the same URL; on one machine `leanvibe serve --agents N` does without',
  },
  'still-busy': {
    kind: 'limit',
    retry: 'later',
    when: 'an agent that drains still works when the time to wait for it is over',
    next: 'wait longer with `--timeout`, or look what it works on: `leanvibe agents show AGENT`',
  },
})
