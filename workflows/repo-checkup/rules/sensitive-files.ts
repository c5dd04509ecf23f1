const names: readonly (readonly [RegExp, string])[] = [
  [/^id_(rsa|dsa|ecdsa|ed25519)$/, 'private SSH key'],
  [/\.(p12|pfx|jks|keystore|ppk)$/i, 'key store'],
  [/^\.(pgpass|netrc|htpasswd|pypirc|dockercfg|s3cfg|boto)$/, 'credentials file'],
  [/^(credentials|service[-_]account[^/]*)\.json$/i, 'credentials file'],
  [/\.(kdbx|kdb|agilekeychain)$/i, 'password store'],
  [/\.(tfstate|tfstate\.backup)$/, 'Terraform state (often holds secrets)'],
  [/\.(sqlite3?|dump)$/i, 'database or dump'],
  [/^\.?(bash|zsh|psql|mysql|irb)_history$/, 'shell history'],
]

const environmentFile = /^\.env(\.(local|prod|production|staging|dev|development))?$/
const filledIn =
  /^\s*(?:export\s+)?\w*(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|DSN|CREDENTIAL)\w*[ \t]*=[ \t]*["']?(?!\s*$|changeme|null\b|secret\b|password\b|your|<|\$)[^\s"'#]{8,}/im

/** True for an environment file in which a name like a secret has a value. */
export function isFilledEnvironment(name: string, text: string): boolean {
  return environmentFile.test(name) && filledIn.test(text)
}

/** What a file of this name usually holds that should not be shared, or null. Empty files are harmless. */
export function sensitiveFile(name: string, size: number): string | null {
  if (size === 0) return null
  return names.find(([pattern]) => pattern.test(name))?.[1] ?? null
}
