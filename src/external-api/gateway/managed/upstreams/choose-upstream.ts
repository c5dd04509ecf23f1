import { createHash } from 'node:crypto'
import type { PickRequest, Strategy } from '../../../../foundation/balancing/candidate.ts'
import { hashText } from '../../../../foundation/balancing/hash-text-contract.ts'
import type { Upstream } from './upstream.ts'

export interface TargetGroup {
  readonly name: string
  readonly weight: number
  readonly upstreams: readonly Upstream[]
  readonly strategy: Strategy
}

export interface ChoiceRequest extends PickRequest {
  /** The upstream that the caller had before, by its token; it is kept where it is up. */
  readonly stickTo?: string | undefined
  /** Upstreams that have failed this very request. */
  readonly tried?: ReadonlySet<Upstream>
  readonly now: number
  /** In [0, 1). */
  readonly draw: number
}

/** How a cookie names an upstream: it tells nothing of its address. */
export function affinityToken(routeId: string, upstream: Pick<Upstream, 'id'>): string {
  return createHash('sha256').update(`${routeId}/${upstream.id}`).digest('base64url').slice(0, 16)
}

/**
 * One upstream for a request, or null where none takes any. First a target by weight (by the key, where there is one, so
 * that a caller stays with its version), then one of its upstreams by the strategy. A target without an upstream that is
 * up gives its share to the others.
 */
export function chooseUpstream(
  groups: readonly TargetGroup[],
  tokens: ReadonlyMap<string, Upstream>,
  request: ChoiceRequest,
): Upstream | null {
  const { now, stickTo, tried } = request
  if (stickTo !== undefined) {
    const former = tokens.get(stickTo)
    if (former?.isUp(now) && former.used < former.slots && tried?.has(former) !== true) return former
  }
  if (groups.length === 1) return pickOf(groups[0]!, request)
  // The draw is spread over all targets first: who is down must not move the callers of the others.
  const draw = request.key === undefined ? request.draw : hashText(request.key) / 4_294_967_296
  const first = drawTarget(groups, draw)
  const chosen = pickOf(first, request)
  if (chosen !== null) return chosen
  const others = groups.filter((group) => group !== first).toSorted((a, b) => b.weight - a.weight)
  for (const group of others) {
    const instead = pickOf(group, request)
    if (instead !== null) return instead
  }
  return null
}

function drawTarget(groups: readonly TargetGroup[], draw: number): TargetGroup {
  const total = groups.reduce((sum, { weight }) => sum + weight, 0)
  let rest = draw * total
  for (const group of groups) {
    rest -= group.weight
    if (rest < 0) return group
  }
  return groups[0]!
}

function pickOf({ upstreams, strategy }: TargetGroup, request: ChoiceRequest): Upstream | null {
  const { now, tried } = request
  const up = upstreams.every((upstream) => upstream.isUp(now))
    ? upstreams
    : upstreams.filter((upstream) => upstream.isUp(now))
  if (tried === undefined || tried.size === 0) return strategy.pick(up, request)
  const fresh = up.filter((upstream) => !tried.has(upstream))
  // Where all of them have failed it once, a second try of one is better than none.
  return strategy.pick(fresh.length > 0 ? fresh : up, request)
}
