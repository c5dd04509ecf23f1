import { z } from '../../kernel/schema.ts'

/** `gateway:` of leanvibe.yaml. */
export const gatewayShape = {
  /** Networks that upstreams of managed routes may lie in although they are not public; there they may do without TLS. */
  allow: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], 'expected a network such as 10.1.0.0/16'))
    .max(1_000)
    .optional(),
  /** Names under `secrets` that headers of managed routes may hold, whichever tenant they belong to. */
  secrets: z
    .array(z.string().regex(/^[A-Za-z_]\w{0,99}$/, 'expected letters, digits and _'))
    .max(1_000)
    .optional(),
}

export interface GatewayConfig {
  readonly allow: readonly string[]
  readonly secrets: readonly string[]
}
