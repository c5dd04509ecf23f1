import { z } from '../../kernel/schema.ts'
import { durationSchema } from './config-units.ts'

const secret = z.string().regex(/^[A-Za-z_]\w{0,99}$/, 'expected the name of a secret')
const httpUrl = z.string().regex(/^https?:\/\/\S{1,2000}$/, 'expected an http or https URL')
const origin = z
  .string()
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    'expected an origin such as https://example.org',
  )

/** Settings of remote agents that speak the Agent2Agent protocol. */
export const a2aSchema = z.strictObject({
  /** Of the agent's card, or of the site whose `/.well-known/agent-card.json` it is. */
  card: httpUrl,
  /** What the agent knows us by; the names are those of `secrets`. */
  auth: z
    .union(
      [z.strictObject({ bearer: secret }), z.strictObject({ header: z.string().regex(/^[\w-]{1,100}$/), secret })],
      'expected {bearer: SECRET} or {header: NAME, secret: SECRET}',
    )
    .optional(),
  /** Where the agent may live besides the origin of its card. */
  origins: z.array(origin).max(20).optional(),
  /** The card must offer this skill. */
  skill: z.string().min(1).max(200).optional(),
  /** `auto`: as the card says. `off`: never. Default auto. */
  streaming: z.enum(['auto', 'off']).optional(),
  /** The agent is asked to tell us of news, where it can. Default false. */
  push: z.boolean().optional(),
  /** A further attempt of a task takes up the remote task of the one before. Default true. */
  resume: z.boolean().optional(),
  /** How long the card and the first answer may take. Default 30s. */
  start: durationSchema.optional(),
  /** Between two looks at a task, where nothing is streamed. Default 2s. */
  poll: durationSchema.refine((ms) => ms >= 100, 'expected at least 100ms').optional(),
})

export interface A2aSettings {
  readonly kind: 'a2a'
  readonly card: string
  /** The header and the secret it carries; null: none. `bearer` puts `Bearer ` before it. */
  readonly auth: { readonly header: string; readonly secret: string; readonly bearer: boolean } | null
  readonly origins: readonly string[]
  readonly skill: string | null
  readonly streaming: boolean
  readonly push: boolean
  readonly resume: boolean
  readonly startMs: number
  readonly pollMs: number
}

export function shapeA2a(file: z.output<typeof a2aSchema>): A2aSettings {
  const { auth } = file
  return {
    kind: 'a2a',
    card: file.card,
    auth:
      auth === undefined
        ? null
        : 'bearer' in auth
          ? { header: 'authorization', secret: auth.bearer, bearer: true }
          : { header: auth.header.toLowerCase(), secret: auth.secret, bearer: false },
    origins: file.origins ?? [],
    skill: file.skill ?? null,
    streaming: file.streaming !== 'off',
    push: file.push ?? false,
    resume: file.resume ?? true,
    startMs: file.start ?? 30_000,
    pollMs: file.poll ?? 2_000,
  }
}

const agentName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and -')
  .refine((text) => text !== 'notifications', 'taken: remote agents send their notifications there')

/** One of our agents as others see it: a workflow, or a pool that is given their words. */
const offerSchema = z
  .strictObject({
    workflow: z.string().min(1).max(200).optional(),
    pool: z.string().min(1).max(63).optional(),
    title: z.string().min(1).max(200).optional(),
    description: z.string().min(1).max(2_000).optional(),
    /** The repository that its runs work on: a path, relative to the project. Default: none. */
    repo: z.string().min(1).max(1_000).optional(),
    /** The input of the workflow that takes the words. Default `task`. */
    input: z.string().min(1).max(100).optional(),
    capabilities: z.array(z.string().min(1).max(100)).max(50).optional(),
    examples: z.array(z.string().min(1).max(500)).max(20).optional(),
  })
  .refine(({ workflow, pool }) => (workflow === undefined) !== (pool === undefined), 'expected `workflow` or `pool`')

/** `a2a:` of leanvibe.yaml. */
export const a2aShape = {
  /** Where others reach this server, for cards and notifications. Default: the address it listens on. */
  url: httpUrl.optional(),
  /** Networks that remote agents and their receivers may lie in although they are not public. */
  allow: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], 'expected a network such as 10.1.0.0/16'))
    .max(100)
    .optional(),
  /** What others may use, by name. */
  offer: z.record(agentName, offerSchema).optional(),
}

export interface A2aOffer {
  readonly name: string
  readonly target: { readonly workflow: string } | { readonly pool: string }
  readonly title: string
  readonly description: string
  readonly input: string
  /** As the file has it. */
  readonly repo: string | null
  readonly capabilities: readonly string[]
  readonly examples: readonly string[]
}

export interface A2aConfig {
  readonly url: string | null
  readonly allow: readonly string[]
  readonly offers: readonly A2aOffer[]
}

type A2aFile = z.output<z.ZodObject<typeof a2aShape>>

export function shapeA2aConfig(file: A2aFile | undefined): A2aConfig {
  const offers = Object.entries(file?.offer ?? {}).map(([name, offer]): A2aOffer => {
    const target = offer.workflow === undefined ? { pool: offer.pool! } : { workflow: offer.workflow }
    const what = 'pool' in target ? `the agents of the pool ${target.pool}` : `the workflow ${target.workflow}`
    return {
      ...{ name, target, title: offer.title ?? name, input: offer.input ?? 'task', repo: offer.repo ?? null },
      description: offer.description ?? `Gives tasks to ${what}.`,
      capabilities: offer.capabilities ?? [],
      examples: offer.examples ?? [],
    }
  })
  return { url: file?.url?.replace(/\/+$/, '') ?? null, allow: file?.allow ?? [], offers }
}
