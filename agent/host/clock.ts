import type { KernelClock } from '../contract/host.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'

// struct timex of the kernel's include/uapi/linux/timex.h, the same on x86-64 and arm64.
const BYTES = 208
const OFFSET = 8
const MAX_ERROR = 24
const ESTIMATED_ERROR = 32
const STATUS = 40
const STA_UNSYNC = 0x40
const STA_NANO = 0x2000

/** What a filter such as systemd's ProtectClock answers. */
const EPERM = 1

/** Asks the kernel and changes nothing (modes 0); undefined where that is not allowed. Throws when it does not answer. */
export function kernelClock(): KernelClock | undefined {
  const timex = new Uint8Array(BYTES)
  const result = systemCall(NUMBERS[architecture()].adjtimex, timex)
  if (result === -EPERM) return undefined
  if (result < 0) throw new Error(`Cannot ask the kernel for its clock: errno ${-result}`)
  const view = new DataView(timex.buffer)
  const number = (at: number) => Number(view.getBigInt64(at, true))
  const status = view.getInt32(STATUS, true)
  return {
    synchronised: (status & STA_UNSYNC) === 0,
    offsetMs: number(OFFSET) / ((status & STA_NANO) !== 0 ? 1e6 : 1e3),
    maxErrorMs: number(MAX_ERROR) / 1e3,
    estimatedErrorMs: number(ESTIMATED_ERROR) / 1e3,
  }
}
