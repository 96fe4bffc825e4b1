import { describeError } from '../lib/errors.ts'
import { enterJail } from './jail.ts'
import { send } from './message.ts'
import { type JailRequest, readFrame } from './protocol.ts'
import { selfCommand, WORKER_ARGUMENT } from './self.ts'

/** Builds the jail of a run around this process and becomes the worker. Does not return. */
export function enterJailAndWork(): never {
  try {
    const sandbox = enterJail(readFrame<JailRequest>(0))
    send({ type: 'jailed', sandbox })
    const command = [...selfCommand(), WORKER_ARGUMENT]
    if (!process.execve) throw new Error('Cannot start the worker: this runtime has no execve')
    process.execve(selfCommand()[0], command, process.env as Record<string, string>)
  } catch (error) {
    send({ type: 'failed', message: describeError(error), notPermitted: false })
  }
  return process.exit(1)
}
