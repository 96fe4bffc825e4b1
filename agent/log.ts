import { writeSync } from 'node:fs'
import type { Log } from './contract/plugin.ts'
import type { Json } from './contract/report.ts'
import type { Redactor } from './lib/redact.ts'

export type LogLevel = 'info' | 'warn' | 'error'
export type LogFunction = (level: LogLevel, message: string, fields?: Record<string, Json>) => void

const STDERR = 2

/** JSON lines on standard error: a constant message, the rest in fields; no secret passes. */
export function jsonLog(redactor: Redactor): LogFunction {
  return (level, message, fields = {}) => {
    const entry = redactor.value({ time: new Date().toISOString(), level, message, ...fields })
    try {
      writeSync(STDERR, `${JSON.stringify(entry)}\n`)
    } catch {
      // Nobody reads the log any more: that is no reason to stop looking after the host.
    }
  }
}

/** The log as the parts of the program take it. */
export function asLog(log: LogFunction): Log {
  return {
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
  }
}
