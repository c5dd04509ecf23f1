import type { QuotaRequest, QuotaTarget } from './quota-port.ts'

/** The first target, and those of the others that differ from it only in what is allowed. */
export function allowedTargets({ targets, failover = {} }: QuotaRequest): readonly QuotaTarget[] {
  const [first, ...others] = targets
  if (first === undefined) return []
  const fits = (target: QuotaTarget) =>
    (failover.account === true || target.account === first.account) &&
    (failover.model === true || target.model === first.model) &&
    (failover.agentKind === true || target.agentKind === first.agentKind)
  return [first, ...others.filter(fits)]
}
