export type { BlobLocation } from './blob-location.ts'
export type { BlobContent, BlobEntry, BlobStore, ByteRange, OpenBlob, PutOptions, StoredBlob } from './blob-store.ts'
export { type BlobStoreOptions, openBlobStore } from './open-blob-store.ts'
