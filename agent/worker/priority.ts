import { readdirSync } from 'node:fs'
import { architecture, NUMBERS, systemCall } from '../host/libc.ts'

// From the kernel's include/uapi/linux/sched.h and ioprio.h.
const SCHED_IDLE = 5
const WHO_PROCESS = 1
const IOPRIO_IDLE = 3 << 13

/**
 * Processor and disk only while nobody else wants them: for every thread of this process, and for all threads and
 * programs that it starts from now on.
 */
export function runIdle(): void {
  const numbers = NUMBERS[architecture()]
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    // What a kernel or a container refuses is only a courtesy less: the run stays at the low priority of the jail.
    systemCall(numbers.sched_setscheduler, thread, SCHED_IDLE, new Int32Array(4))
    systemCall(numbers.ioprio_set, WHO_PROCESS, thread, IOPRIO_IDLE)
  }
}
