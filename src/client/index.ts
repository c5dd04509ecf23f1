export type { Fetch } from './call.ts'
export { type Client, type ClientOptions, type Content, createClient } from './client.ts'
export type { EventStreamOptions } from './streams.ts'
