import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { exitCodeFor, tellFailure } from './failure.ts'
import { Interrupted, listenForInterrupts } from './interrupts.ts'
import type { Output } from './output.ts'

test('the first signal asks, the second forces, and both tell the exit code', async () => {
  const source = new EventEmitter()
  const interrupts = listenForInterrupts(source)
  expect(interrupts.signal.aborted).toBe(false)
  source.emit('SIGTERM')
  expect(interrupts.signal.reason).toBeInstanceOf(Interrupted)
  expect(interrupts.exitCode).toBe(143)
  source.emit('SIGINT')
  expect(await interrupts.forced).toBe(130)
  interrupts.close()
  expect(source.eventNames()).toEqual([])
})

test('whatever it ends, it is told as an interruption and not as a fault', async () => {
  const source = new EventEmitter()
  const interrupts = listenForInterrupts(source)
  const waiting = delay(60_000, undefined, { signal: interrupts.signal }).catch((error: unknown) => error)
  source.emit('SIGTERM')
  const error = await waiting
  expect(exitCodeFor(error, interrupts.exitCode)).toBe(143)
  const told: string[] = []
  const out = { json: true, stderr: { write: (text: string) => told.push(text) } } as unknown as Output
  tellFailure(out, error, false)
  expect(told).toEqual([])
  interrupts.close()
})

test('a command may have its own answer to Ctrl-C, not to a signal that ends the process', () => {
  const source = new EventEmitter()
  const interrupts = listenForInterrupts(source)
  let asked = 0
  const undo = interrupts.onInterrupt(() => asked++)
  source.emit('SIGINT')
  expect(asked).toBe(1)
  expect(interrupts.signal.aborted).toBe(false)
  undo()
  interrupts.close()
  const other = listenForInterrupts(source)
  other.onInterrupt(() => asked++)
  source.emit('SIGTERM')
  expect(asked).toBe(1)
  expect(other.signal.aborted).toBe(true)
  other.close()
})
