import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { type CliTrial, tryClis } from '../orchestration/agents/container/container-cli.ts'
import { KubeClient } from '../orchestration/agents/kubernetes/kube-client.ts'
import type { KubeAccess } from '../orchestration/agents/kubernetes/kube-config.ts'
import { rightsOfAgents } from '../orchestration/agents/kubernetes/kube-rights.ts'

const patienceMs = 15_000

/** The CLIs of these names; null stands for those that are usual. */
export async function tryContainers(
  { env }: LoadedConfig,
  names: readonly (string | null)[],
): Promise<readonly CliTrial[]> {
  const found = await Promise.all(names.map((name) => tryClis(name, (variable) => env.variable(variable))))
  return found.flat()
}

/** The version of a cluster, and what of that which is needed may not be done there. @throws kube-unreachable, kube-refused */
export async function tryKubernetes(
  access: KubeAccess,
): Promise<{ readonly version: string; readonly missing: readonly string[] }> {
  const client = new KubeClient({ access, tries: 2, timeoutMs: 5_000 })
  const signal = AbortSignal.timeout(patienceMs)
  try {
    const { gitVersion } = await client.call<{ readonly gitVersion: string }>({ path: '/version', signal })
    const missing = await Promise.all(
      rightsOfAgents.map(async ({ verb, group, resource, subresource }) => {
        const answer = await client.call<{ readonly status?: { readonly allowed?: boolean } }>({
          method: 'POST',
          path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
          body: {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SelfSubjectAccessReview',
            spec: { resourceAttributes: { namespace: access.namespace, verb, group, resource, subresource } },
          },
          signal,
        })
        const what = subresource === '' ? resource : `${resource}/${subresource}`
        return answer.status?.allowed === true ? [] : [`${verb} ${what}`]
      }),
    )
    return { version: gitVersion, missing: missing.flat() }
  } finally {
    await client.close()
  }
}
