import { dlopen } from 'bun:ffi'
import { C_LIBRARY } from '../../../agent/host/libc.ts'
import { bytesOf } from './bytes.ts'

const LOG_USER = 1 << 3
const PRIORITIES = { debug: 6, warning: 4, error: 3 } as const

/** Sends messages to the system's log under the name logrotate. */
export function openSyslog(): (level: keyof typeof PRIORITIES, text: string) => void {
  const { symbols } = dlopen(C_LIBRARY, {
    openlog: { args: ['ptr', 'i32', 'i32'], returns: 'void' },
    // Variadic in C; integer arguments go into the same registers all the same.
    syslog: { args: ['i32', 'ptr', 'ptr'], returns: 'void' },
  })
  const [name, format] = [Buffer.from('logrotate\0'), Buffer.from('%s\0')]
  symbols.openlog(name, 0, LOG_USER)
  return (level, text) => {
    symbols.syslog(LOG_USER | PRIORITIES[level], format, Buffer.concat([bytesOf(text), Buffer.from([0])]))
  }
}
