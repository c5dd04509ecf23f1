export interface SecretRule {
  readonly id: string
  readonly what: string
  /** Group 1, where there is one, is the secret itself. Always global. */
  readonly pattern: RegExp
  /** Live credentials of a service, as far as the shape tells; false for shapes that are often harmless. */
  readonly specific: boolean
  /** Least Shannon entropy of the secret in bits a character. */
  readonly entropy?: number
}

const word = '(?<![A-Za-z0-9_/+-])'
const end = '(?![A-Za-z0-9_/+-])'
const rule = (id: string, what: string, pattern: string, more: Partial<SecretRule> = {}): SecretRule => ({
  id,
  what,
  pattern: new RegExp(pattern, more.pattern?.flags ?? 'g'),
  specific: true,
  ...more,
})

/** Published token shapes. The list favours shapes with a fixed prefix: they are almost never something else. */
export const secretRules: readonly SecretRule[] = [
  rule('aws-access-key', 'AWS access key', `${word}((?:AKIA|ASIA)[A-Z2-7]{16})${end}`, { entropy: 3 }),
  rule('github-token', 'GitHub token', `${word}(gh[pousr]_[A-Za-z0-9]{36,255})${end}`, { entropy: 3 }),
  rule('github-fine-grained-token', 'GitHub fine-grained token', `${word}(github_pat_[A-Za-z0-9_]{82})${end}`, {
    entropy: 3,
  }),
  rule('gitlab-token', 'GitLab token', `${word}(gl(?:pat|dt|rt|cbt|ptt|ft)-[A-Za-z0-9_-]{20,64})${end}`, {
    entropy: 3,
  }),
  rule('slack-token', 'Slack token', `${word}(xox[abeoprs]-(?:\\d+-)+[A-Za-z0-9-]{10,})${end}`, { entropy: 3 }),
  rule(
    'slack-webhook',
    'Slack webhook address',
    'hooks\\.slack\\.com/services/(T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24})',
    { entropy: 3 },
  ),
  rule('stripe-key', 'Stripe live key', `${word}((?:sk|rk)_live_[A-Za-z0-9]{24,247})${end}`, { entropy: 3 }),
  rule('google-api-key', 'Google API key', `${word}(AIza[0-9A-Za-z_-]{35})${end}`, { entropy: 3.5, specific: false }),
  rule('google-oauth-secret', 'Google OAuth secret', `${word}(GOCSPX-[A-Za-z0-9_-]{28})${end}`, { entropy: 3 }),
  rule('npm-token', 'npm token', `${word}(npm_[A-Za-z0-9]{36})${end}`, { entropy: 3 }),
  rule('pypi-token', 'PyPI token', `${word}(pypi-AgE[A-Za-z0-9_-]{50,})${end}`, { entropy: 3 }),
  rule('rubygems-token', 'RubyGems token', `${word}(rubygems_[a-f0-9]{48})${end}`, { entropy: 3 }),
  rule(
    'openai-key',
    'OpenAI key',
    `${word}(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,})${end}`,
    { entropy: 3 },
  ),
  rule('anthropic-key', 'Anthropic key', `${word}(sk-ant-[a-z]+\\d{2}-[A-Za-z0-9_-]{80,})${end}`, { entropy: 3 }),
  rule('sendgrid-key', 'SendGrid key', `${word}(SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43})${end}`, { entropy: 3 }),
  rule('digitalocean-token', 'DigitalOcean token', `${word}(do[opr]_v1_[a-f0-9]{64})${end}`, { entropy: 3 }),
  rule('shopify-token', 'Shopify token', `${word}(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})${end}`, { entropy: 3 }),
  rule('hugging-face-token', 'Hugging Face token', `${word}(hf_[A-Za-z]{34})${end}`, { entropy: 3.5 }),
  rule('databricks-token', 'Databricks token', `${word}(dapi[a-f0-9]{32})${end}`, { entropy: 3 }),
  rule('telegram-token', 'Telegram bot token', `${word}(\\d{8,10}:AA[A-Za-z0-9_-]{33})${end}`, { entropy: 3.5 }),
  rule('azure-storage-key', 'Azure storage key', 'AccountKey=([A-Za-z0-9+/]{86}==)', { entropy: 4 }),
  rule('mailgun-key', 'Mailgun key', `${word}(key-[0-9a-f]{32})${end}`, { entropy: 3, specific: false }),
  rule('private-key', 'private key', '-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----', {}),
  rule('age-key', 'age secret key', `${word}(AGE-SECRET-KEY-1[A-Z0-9]{58})${end}`, { entropy: 3 }),
  rule(
    'json-web-token',
    'JSON Web Token',
    `${word}(eyJ[A-Za-z0-9_-]{16,}\\.eyJ[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{20,})${end}`,
    { entropy: 4, specific: false },
  ),
  rule(
    'password-in-address',
    'password in an address',
    '\\b(?:https?|ftp|postgres(?:ql)?|mysql|mongodb(?:\\+srv)?|redis|rediss|amqps?|smtps?)://[^\\s:/@\'"<>{}$%]{1,64}:([^\\s:/@\'"<>{}$%*]{6,100})@[\\w.-]+',
    {
      entropy: 2.5,
      specific: false,
    },
  ),
  {
    id: 'secret-assignment',
    what: 'hard-coded password or key',
    pattern:
      /(?:password|passwd|secret|api_?key|apikey|access_?key|auth_?token|access_?token|private_?key|client_?secret|credentials?)['"]?\s{0,3}(?::=|=>|[:=])\s{0,3}['"`]([^'"`\s]{12,120})['"`]/gi,
    specific: false,
    entropy: 3.6,
  },
  {
    id: 'environment-assignment',
    what: 'password or key in a settings line',
    pattern:
      /^\s*(?:export\s+|- )?[A-Z0-9_.]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)[A-Z0-9_]*\s?[:=]\s?([^\s'"#$(){};,]{12,120})\s*$/g,
    specific: false,
    entropy: 3.3,
  },
]

/** Two cheap tests, one of which every rule's match passes; lines that fail both are not looked at further. */
export const knownPrefix =
  /AKIA|ASIA|gh[pousr]_|github_pat_|gl[a-z]{2,3}-|xox[abeoprs]-|hooks\.slack|_live_|AIza|GOCSPX|npm_|pypi-|rubygems_|sk-|SG\.|do[opr]_v1|shp[acps]|hf_|dapi|:AA|AccountKey|key-|PRIVATE KEY|AGE-SECRET|eyJ/
export const suspiciousName =
  /:\/\/[^\s:/@]+:[^\s/]+@|passw|secret|api_?key|access_?key|_?token|private_?key|credential/i
