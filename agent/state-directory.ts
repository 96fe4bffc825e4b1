import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describeError, errnoOf, UserError } from './lib/errors.ts'

export interface StateDirectory {
  path: string
  database: string
  /** 32 random bytes of this host: every keyed identity comes from it. */
  hostKey: Buffer
  /** A job's own directory, made if needed. */
  forJob(name: string): string
  lockFile(name: string): string
}

/**
 * Makes the state directory usable: 0700, owned by this user, with the host's key. Throws UserError when it
 * cannot be written, or belongs to somebody else.
 */
export function openStateDirectory(path: string): StateDirectory {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const stat = lstatSync(path)
    const uid = process.getuid?.() ?? 0
    if (!stat.isDirectory())
      throw new UserError(`Cannot use the state directory "${path}": it is no directory`)
    if (stat.uid !== uid && uid !== 0) {
      throw new UserError(
        `Cannot use the state directory "${path}": it belongs to user id ${stat.uid}, reeve runs as ${uid}. ` +
          'Ask the running service ("reeve status"), or run this as its user: sudo -u reeve reeve …',
      )
    }
    if (stat.mode & 0o022) {
      throw new UserError(
        `Cannot use the state directory "${path}": others can write it; run: chmod 0700 ${path}`,
      )
    }
    for (const name of ['jobs', 'locks']) mkdirSync(join(path, name), { recursive: true, mode: 0o700 })
    return {
      path,
      database: join(path, 'reeve.db'),
      hostKey: hostKey(join(path, 'host.key')),
      forJob: (name) => {
        const directory = join(path, 'jobs', name)
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        return directory
      },
      lockFile: (name) => join(path, 'locks', `${name}.lock`),
    }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`Cannot use the state directory "${path}": ${describeError(error)}`, { cause: error })
  }
}

const KEY_BYTES = 32

function hostKey(path: string): Buffer {
  const key = readKey(path)
  if (key) return key
  const fresh = Buffer.from(crypto.getRandomValues(new Uint8Array(KEY_BYTES)))
  const temporary = `${path}.${process.pid}.new`
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
  const descriptor = openSync(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
  writeSync(descriptor, fresh)
  fsyncSync(descriptor)
  closeSync(descriptor)
  try {
    linkSync(temporary, path)
  } catch (error) {
    // Another process was first: there is one key, and it is that one.
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    unlinkSync(temporary)
  }
  syncDirectory(dirname(path))
  return readKey(path) ?? fresh
}

function readKey(path: string): Buffer | undefined {
  let key: Buffer
  try {
    key = readFileSync(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  if (key.length === KEY_BYTES) return key
  throw new UserError(
    `Cannot use "${path}": it is damaged (${key.length} bytes). Restore it from a backup; without it every credential looks new`,
  )
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  fsyncSync(descriptor)
  closeSync(descriptor)
}
