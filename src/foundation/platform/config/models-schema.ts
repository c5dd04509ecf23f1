import { type ModelTier, modelTiers } from '../../kernel/model-tier.ts'
import { z } from '../../kernel/schema.ts'

const name = z.string().regex(/^[a-z0-9][\w.-]{0,62}$/, 'expected lower-case letters, digits and _ . -')
const model = z.string().min(1).max(200)
const perMinute = z.number().positive().max(1_000_000_000)
const url = z
  .string()
  .refine(
    (text) => /^https?:\/\//.test(text) && URL.canParse(text),
    'expected an address such as https://api.example.org',
  )
/** A model for each tier. */
export const tiersSchema = z.strictObject(
  Object.fromEntries(modelTiers.map((tier) => [tier, model.optional()])) as Record<
    ModelTier,
    z.ZodOptional<typeof model>
  >,
)
const target = z.union([
  z
    .string()
    .regex(/^[a-z0-9][\w.-]{0,62}\/.+$/, 'expected ACCOUNT/MODEL')
    .transform((text) => ({ account: text.slice(0, text.indexOf('/')), model: text.slice(text.indexOf('/') + 1) })),
  z.strictObject({ account: name, model }),
])

const accountSchema = (duration: z.ZodType<number>) =>
  z.strictObject({
    /** What it speaks. `compatible`: what OpenAI speaks, at an address of somebody else. */
    provider: z.enum(['openai', 'anthropic', 'compatible']),
    url: url.optional(),
    /** The name of a secret of `secrets:`; none for servers that want no key. */
    secret: z.string().optional(),
    /** Names of models, with `*` for any text. Default: those of the provider; `compatible` has none. */
    models: z.array(model).min(1).max(200).optional(),
    /** Who may use it; `*` for all. Default: the tenant `default`. */
    tenants: z.array(z.string().min(1)).min(1).optional(),
    headers: z.record(z.string().regex(/^[\w-]+$/), z.string()).optional(),
    requestsPerMinute: perMinute.optional(),
    tokensPerMinute: perMinute.optional(),
    concurrent: z.int().positive().max(100_000).optional(),
    /** The field by which output is limited. Default: `max_completion_tokens` for `openai`, else `max_tokens`. */
    outputField: z.enum(['max_tokens', 'max_completion_tokens']).optional(),
    timeout: duration.optional(),
    /** The subscription that it works on, by its name among those of whoever calls (`quotas subscribe`). */
    subscription: name.optional(),
  })

/** `models:` of leanvibe.yaml. */
export const modelsShape = (duration: z.ZodType<number>) => ({
  accounts: z.record(name, accountSchema(duration)).optional(),
  /** A name for one model or several; the first that can be had is used. */
  aliases: z.record(model, z.union([target.transform((one) => [one]), z.array(target).min(1).max(20)])).optional(),
  /** The model for each tier, for pools that call models through the gateway and have no `tiers` of their own. */
  tiers: tiersSchema.optional(),
  /** Output tokens of a call that names no limit, where a budget binds it. */
  output: z.int().min(1).max(1_000_000).optional(),
  /** Input tokens that a model takes at most, by the beginning of its name. */
  contexts: z.record(model, z.int().min(1).max(100_000_000)).optional(),
  /** How long a call waits for a budget or a provider. */
  wait: duration.optional(),
  /** Where agents reach the gateway, when they run on another machine than a server. */
  url: url.optional(),
})

export type ModelsFile = z.output<z.ZodObject<ReturnType<typeof modelsShape>>>
