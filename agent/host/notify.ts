import { closeSync } from 'node:fs'
import { architecture, NUMBERS, systemCall } from './libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM_CLOSE_ON_EXEC = 2 | 0o2000000
const MSG_NOSIGNAL = 0x4000

/**
 * Tells systemd about the state of the service ("READY=1", "WATCHDOG=1", …), as sd_notify(3) does. Does
 * nothing when it is not systemd that started us. The runtime has no unix datagram sockets, hence the calls.
 */
export function notifySystemd(state: string, socketPath = process.env.NOTIFY_SOCKET): void {
  if (!socketPath) return
  const numbers = NUMBERS[architecture()]
  const descriptor = systemCall(numbers.socket, AF_UNIX, SOCK_DGRAM_CLOSE_ON_EXEC, 0)
  if (descriptor < 0) return
  try {
    const path = Buffer.from(socketPath, 'utf8')
    if (path[0] === '@'.charCodeAt(0)) path[0] = 0 // an abstract name
    const address = Buffer.alloc(2 + path.length)
    address.writeUInt16LE(AF_UNIX, 0)
    path.copy(address, 2)
    const message = Buffer.from(state, 'utf8')
    systemCall(numbers.sendto, descriptor, message, message.length, MSG_NOSIGNAL, address, address.length)
  } finally {
    closeSync(descriptor)
  }
}

/** Half of the time within which systemd wants to hear from us; undefined when it does not. Milliseconds. */
export function watchdogIntervalMs(env = process.env): number | undefined {
  const microseconds = Number(env.WATCHDOG_USEC)
  if (!Number.isFinite(microseconds) || microseconds <= 0) return undefined
  if (env.WATCHDOG_PID && env.WATCHDOG_PID !== String(process.pid)) return undefined
  return microseconds / 2000
}
