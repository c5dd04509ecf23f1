import type { Readable } from 'node:stream'
import type { Command as Commander } from 'commander'
import type { Env } from '../foundation/platform/config/env.ts'
import type { Interrupts } from './interrupts.ts'
import type { Output } from './output.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json: boolean
  readonly data?: string
  readonly config?: string
  /** A server elsewhere that the call is for. */
  readonly url?: string
  /** The key for it. */
  readonly key?: string
  readonly debug: boolean
}

/** What a command is given. It reads no globals of the process. */
export interface CliContext {
  readonly globals: GlobalOptions
  readonly env: Env
  readonly cwd: string
  readonly out: Output
  readonly interrupts: Interrupts
  /** For commands that speak a protocol; it is opened when it is asked for. */
  readonly stdin: Readable
}

/** The work of a command; the result is its exit code, nothing means 0. */
export type Action = (context: CliContext, ...args: never[]) => Promise<number | undefined>

/** Ties an action to commander, which calls it with the arguments, the options and itself. */
export type Act = <A extends unknown[]>(
  action: (context: CliContext, ...args: A) => Promise<number | undefined> | Promise<void>,
) => (...args: A) => Promise<void>

/** One command a file: what it takes, and what it does. */
export interface CliCommand {
  /** Adds arguments, options, sub-commands and actions to the command made from the table in commands.ts. */
  configure(command: Commander, act: Act): void
}
