/** A thread of the compressor (compressor.ts), at idle priority: whatever else runs on the host comes first. */
import { compressFile } from './compression.ts'
import { claim, type Order, settle, wasCancelled } from './compressor-order.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'

declare const self: { onmessage: (event: { data: Order }) => void }

// From include/uapi/linux/{sched,ioprio}.h. Without an id each call is about the calling thread alone.
const [SCHED_IDLE, LEAST_NICE, IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE] = [5, 19, 1, 3 << 13]

const numbers = NUMBERS[architecture()]
systemCall(numbers.setpriority, 0, 0, LEAST_NICE)
systemCall(numbers.sched_setscheduler, 0, SCHED_IDLE, new Int32Array(1))
systemCall(numbers.ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE)

self.onmessage = ({ data: { task, control } }) => {
  if (claim(control)) settle(control, () => compressFile(task, () => wasCancelled(control)))
}
