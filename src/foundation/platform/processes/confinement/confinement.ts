/** What a host can keep processes from. Found once, by trying. */
export interface HostConfinement {
  /** Absolute path of bubblewrap, if it works here: files and network can be kept from work. */
  readonly bubblewrap: string | null
  /** Absolute path of `unshare`, if it works here: the network can be kept from work. */
  readonly unshare: string | null
  /** Why there is no bubblewrap. */
  readonly problem: string | null
  /** What no work may see, whatever is shown around it: data folders, and files that root alone may read. Default: none. */
  readonly hidden?: readonly string[]
}

/**
 * `open`: whatever the host reaches. `models`: the model gateway alone, which takes bubblewrap. `off`: nothing, not even other
 * programs of this machine.
 */
export type NetworkRule = 'open' | 'models' | 'off'

/** What work may touch. */
export interface Confinement {
  /** `auto`: as far as the host allows. `required`: no work where the host does not allow it. */
  readonly mode: 'off' | 'auto' | 'required'
  readonly network: NetworkRule
  /** Absolute paths that may be read besides the system and the folders of the attempt. */
  readonly read: readonly string[]
  /** Absolute paths that may be written besides the folders of the attempt. Missing ones are left out. */
  readonly write: readonly string[]
}

export const unconfined: Confinement = Object.freeze({ mode: 'off', network: 'open', read: [], write: [] })

/** What is kept from work on this host under these rules. */
export interface Enforced {
  readonly files: boolean
  readonly network: boolean
}

export function enforcedBy(host: HostConfinement, rules: Confinement): Enforced {
  if (rules.mode === 'off') return { files: false, network: false }
  const files = host.bubblewrap !== null
  const network = rules.network !== 'open' && (files || (rules.network === 'off' && host.unshare !== null))
  return { files, network }
}

/** What the rules ask for and the host cannot do, in words; null: nothing. */
export function lackOf(host: HostConfinement, rules: Confinement): string | null {
  if (rules.mode !== 'required') return null
  const { files, network } = enforcedBy(host, rules)
  const why = host.problem === null ? '' : ` (${host.problem})`
  if (!files) return `files cannot be kept from work on this host${why}`
  if (rules.network === 'off' && !network) return `the network cannot be kept from work on this host${why}`
  return null
}
