import { errnoOf } from '../lib/errors.ts'
import type { CompressionResult, CompressionTask } from './compression.ts'

/** A task for a thread, and the shared memory by which it answers: who waits needs no event loop. */
export interface Order {
  task: CompressionTask
  control: SharedArrayBuffer
}

const [STATE, CLAIMED, CANCELLED, LENGTH, HEADER_BYTES] = [0, 1, 2, 3, 16]
const MAX_ANSWER_BYTES = 16_384
const MAX_TEXT = 4000

const header = (control: SharedArrayBuffer) => new Int32Array(control, 0, HEADER_BYTES / 4)

export function newControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + MAX_ANSWER_BYTES)
}

/** Who gets true does the task; nobody else then does. */
export function claim(control: SharedArrayBuffer): boolean {
  return Atomics.compareExchange(header(control), CLAIMED, 0, 1) === 0
}

export function cancel(control: SharedArrayBuffer): void {
  Atomics.store(header(control), CANCELLED, 1)
}

export function wasCancelled(control: SharedArrayBuffer): boolean {
  return Atomics.load(header(control), CANCELLED) === 1
}

type Answer = { result: CompressionResult } | { error: string; code: string | undefined }

/** Does a task that was claimed, and answers. */
export function settle(control: SharedArrayBuffer, act: () => CompressionResult): void {
  const bytes = new TextEncoder().encode(JSON.stringify(answerOf(act)))
  new Uint8Array(control, HEADER_BYTES).set(bytes)
  const state = header(control)
  Atomics.store(state, LENGTH, bytes.length)
  Atomics.store(state, STATE, 1)
  Atomics.notify(state, STATE)
}

function answerOf(act: () => CompressionResult): Answer {
  try {
    const result = act()
    return { result: { ...result, stderr: result.stderr.slice(0, MAX_TEXT) } }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { error: message.slice(0, MAX_TEXT), code: errnoOf(error) }
  }
}

/** Waits for the answer, without the event loop. False when there is none in time. */
export function waitForAnswer(control: SharedArrayBuffer, timeoutMs: number): boolean {
  return Atomics.wait(header(control), STATE, 0, timeoutMs) !== 'timed-out'
}

/** The answer, once there is one. Throws what went wrong. */
export function readAnswer(control: SharedArrayBuffer): CompressionResult {
  const bytes = new Uint8Array(control, HEADER_BYTES, Atomics.load(header(control), LENGTH))
  const answer: Answer = JSON.parse(new TextDecoder().decode(bytes.slice()))
  if ('result' in answer) return answer.result
  throw Object.assign(new Error(answer.error), answer.code === undefined ? {} : { code: answer.code })
}
