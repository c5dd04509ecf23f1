export { type MaskStream, SecretMasker } from './secret-masker.ts'
export type { SecretSource } from './secret-source.ts'
