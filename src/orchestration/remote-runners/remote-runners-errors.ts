import { defineErrors } from '../../foundation/kernel/errors.ts'

export const remoteRunnerErrors = defineErrors({
  'runner-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'the tenant has no runner of this id that joined by URL, or it was taken off the list',
    next: 'start the runner again: `leanvibe work --join URL`',
  },
  'runner-too-old': {
    kind: 'input',
    retry: 'never',
    when: 'a runner joins a server that is more than one version of their contract ahead of it',
    next: 'bring the program of the runner up to date: versions one apart work together',
  },
  'merges-elsewhere': {
    kind: 'input',
    retry: 'never',
    when: 'a runner that joined by URL announces agents with the capability `merge`: branches are moved where the repository is',
    next: 'take `merge` out of the capabilities of its pools; the agents `local` of a server do the merges',
  },
  'lease-not-held': {
    kind: 'conflict',
    retry: 'never',
    when: 'a runner sends or asks for something of a lease that it does not have, or no longer has',
    next: 'nothing: the work was given to others, or has ended',
  },
  'service-call-over': {
    kind: 'conflict',
    retry: 'never',
    when: 'a runner asks for what a service tells of a lease, and the work of the service is over or was never begun',
    next: 'nothing: the attempt has ended, or another has taken the work over',
  },
  'upload-incomplete': {
    kind: 'input',
    retry: 'never',
    when: 'the pieces of an upload are not all there, or are not the file that was announced',
    next: 'send the file again',
  },
  'repository-not-here': {
    kind: 'not-found',
    retry: 'later',
    when: 'the repository of a run is not on the machine of the server that a runner asks for it',
    next: 'join the server on which the repository lies as well: `--join URL` may be repeated',
  },
  'repository-shallow': {
    kind: 'input',
    retry: 'never',
    when: 'a runner elsewhere needs a repository whose history was cut off when it was cloned',
    next: 'complete it with `git fetch --unshallow`, or let agents on the machine of the server work on it',
  },
  'commit-not-delivered': {
    kind: 'input',
    retry: 'never',
    when: 'the pack that a runner sends back does not hold the commit it names, or is not a sound git pack',
    next: 'look at the log of the runner; `git fsck` shows whether its repository is damaged',
  },
})
