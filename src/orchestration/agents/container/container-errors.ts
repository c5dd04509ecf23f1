import { defineErrors } from '../../../foundation/kernel/errors.ts'

export const containerErrors = defineErrors({
  'container-cli-missing': {
    kind: 'unavailable',
    retry: 'never',
    when: 'a pool runs its agents in containers, and neither docker nor podman works here',
    next: 'install podman or start the Docker daemon; `leanvibe doctor` says what is missing',
  },
  'container-image-missing': {
    kind: 'input',
    retry: 'never',
    when: 'the image of a pool is not on this machine and could not be fetched',
    next: 'build or pull the image, or correct `container.image` of the pool',
  },
  'container-failed': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a container could not be made or started',
    next: 'read what docker or podman says with `leanvibe runs logs`, and try the image by hand',
  },
  'container-command-missing': {
    kind: 'input',
    retry: 'never',
    when: 'the image of a pool has no such program, or it may not be executed',
    next: 'correct `command` of the pool: it names a program inside the image',
  },
  'container-setup': {
    kind: 'input',
    retry: 'never',
    when: 'what a container should be given cannot be given to it: a path with a colon, a variable that would reach the CLI',
    next: 'rename the folder, or pass the value in a file',
  },
})
