/** What the account of LeanVibe must be allowed in the namespace of its agents; docs/guides/containers.md has it as a Role. */
export const rightsOfAgents: readonly {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
}[] = [
  ...['create', 'get', 'list', 'delete'].map((verb) => ({ verb, group: 'batch', resource: 'jobs', subresource: '' })),
  ...['create', 'get', 'list', 'watch', 'delete'].map((verb) => ({
    verb,
    group: '',
    resource: 'pods',
    subresource: '',
  })),
  { verb: 'get', group: '', resource: 'pods', subresource: 'log' },
  ...['get', 'create'].map((verb) => ({ verb, group: '', resource: 'pods', subresource: 'exec' })),
  ...['get', 'create'].map((verb) => ({ verb, group: '', resource: 'pods', subresource: 'attach' })),
  ...['create', 'get', 'list', 'patch', 'delete'].map((verb) => ({
    ...{ verb, group: '', resource: 'secrets', subresource: '' },
  })),
  ...['create', 'patch'].map((verb) => ({
    ...{ verb, group: 'networking.k8s.io', resource: 'networkpolicies', subresource: '' },
  })),
]
