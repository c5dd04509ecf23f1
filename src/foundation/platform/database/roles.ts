/** The two database roles; row-level security confines both, each by its own policy. */
export const roles = { app: 'leanvibe_app', system: 'leanvibe_system' } as const
