/**
 * What runners that join by URL and servers say to each other, as one number that grows whenever either is asked for more.
 * 1: leases, reports, logs, files, commits, questions and keys of models. 2: servers say which agents a runner has, and keep
 * what services tell and how full contexts are.
 */
export const runnerContract = 2

export type Agreement =
  | { readonly contract: number }
  /** Which of the two has to be brought up to date. */
  | { readonly older: 'runner' | 'server' }

/** The contract that a runner and a server keep with each other: versions one apart run together, with what both know. */
export function agreeOn(runner: number, server: number): Agreement {
  if (Math.abs(runner - server) > 1) return { older: runner < server ? 'runner' : 'server' }
  return { contract: Math.min(runner, server) }
}
