import { defineErrors } from '../../kernel/errors.ts'

export const processErrors = defineErrors({
  'command-not-found': {
    kind: 'input',
    retry: 'never',
    when: 'the program of a command is not found on its search path',
    next: 'install the program, or give its full path; the PATH that commands see is that of the process that runs leanvibe',
  },
  'command-not-executable': {
    kind: 'input',
    retry: 'never',
    when: 'the program of a command exists, but may not be executed',
    next: 'make the file executable (chmod +x), or name its interpreter as the first word of the command',
  },
  'command-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a command cannot be started as it is written: too long, or with a NUL character in it',
    next: 'shorten the arguments (pass large values by file or standard input) and remove control characters',
  },
  'workdir-missing': {
    kind: 'internal',
    retry: 'later',
    when: 'the folder in which a command should run does not exist',
    next: 'try again; if it happens again, look whether something removes files from the data folder',
  },
  'host-exhausted': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the machine has no process, memory, file or disk space left to start a command',
    next: 'free some, or lower the number of slots; `leanvibe doctor` shows what is short',
  },
  'network-unreachable': {
    kind: 'unavailable',
    retry: 'never',
    when: 'work may reach the model gateway and nothing else, and this host cannot give it that way: nsenter is missing, the rights over its network are, or its pool has no `models`',
    next: 'see `network: models` in docs/guides/containers.md',
  },
  'supervisor-lost': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the process that watches over commands ended by itself; the commands it watched were ended too',
    next: 'try again; the folder processes/ in the data folder holds what it printed last',
  },
})

export type SpawnErrorCode = Exclude<keyof typeof processErrors, 'supervisor-lost' | 'network-unreachable'>
