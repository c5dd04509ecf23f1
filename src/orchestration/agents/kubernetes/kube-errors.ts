import { defineErrors } from '../../../foundation/kernel/errors.ts'

export const kubeErrors = defineErrors({
  'kube-config-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a pool runs its agents in a Kubernetes cluster, and no usable way to it is configured',
    next: 'name a kubeconfig and a context in `kubernetes` of the pool; `leanvibe doctor` says what is wrong',
  },
  'kube-unreachable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the API server of a cluster does not answer, or not in time',
    next: 'see whether `kubectl get --raw /readyz` answers from this machine',
  },
  'kube-refused': {
    kind: 'forbidden',
    retry: 'never',
    when: 'the API server of a cluster refuses what is asked of it',
    next: 'give the account the rights that docs/guides/containers.md lists',
  },
  'kube-failed': {
    kind: 'internal',
    retry: 'later',
    when: 'the API server of a cluster answers with an error',
    next: 'read its message; an admission policy of the cluster may be behind it',
  },
  'pod-not-started': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a pod did not run within the time that its pool allows',
    next: 'see what the message says of it: no room, a volume, an image; raise `kubernetes.start` if it only takes longer',
  },
  'pod-image': {
    kind: 'input',
    retry: 'never',
    when: 'the image of a pod cannot be pulled, or its configuration is refused by its node',
    next: 'correct `kubernetes.image`, or name `pullSecrets`',
  },
  'pod-evicted': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a pod was evicted or preempted',
    next: 'it is tried again; give the pool larger `requests` if its node runs short',
  },
  'pod-lost': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a pod went away before its work had ended: deleted by somebody, or with its node',
    next: 'it is tried again',
  },
  'pod-deadline': {
    kind: 'limit',
    retry: 'never',
    when: 'a Job ran longer than its activeDeadlineSeconds',
    next: 'raise `kubernetes.deadline` of the pool',
  },
  'pod-workspace': {
    kind: 'internal',
    retry: 'later',
    when: 'the files of an attempt could not be brought into its pod, or back',
    next: 'the image needs `sh` and `tar` (the workspace image in Jobs); see how large the folders are',
  },
})
