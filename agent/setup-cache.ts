import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import type { ConfigFiles } from './config/files.ts'
import { stateDirectory } from './config/paths.ts'
import { sha256 } from './lib/digest.ts'
import type { Setup } from './setup.ts'
import { version } from './version.ts'
import { selfCommand } from './worker/self.ts'

// Checking a configuration takes many times longer than all else at a start, and always ends the same way for
// the same bytes. So what came of it is kept in the state directory (docs/adr/0007-quick-start.md).

const FILE = 'setup.kept'
const MAX_BYTES = 32 * 1024 * 1024

/** SHA-256 of a file's content; empty when it cannot be read. */
export function fileDigest(path: string): string {
  try {
    return sha256(readFileSync(path))
  } catch {
    return ''
  }
}

/** What tells this very program from any other; undefined for one that runs from its sources. */
export function runningProgram(): string | undefined {
  if (selfCommand().length > 1) return undefined
  // What runs, not what has been put into its place meanwhile.
  const { dev, ino, size, mtimeMs } = statSync('/proc/self/exe')
  return JSON.stringify([version, dev, ino, size, mtimeMs])
}

/**
 * SHA-256 over all that a setup is made of but the files of external plugins: the program, the configuration,
 * and the time zone that is the default of schedules.
 */
export function setupKey(program: string, { path, files, profiles }: ConfigFiles, env = process.env): string {
  return sha256(JSON.stringify([program, path, files, profiles, env.TZ ?? null, hostTimezone()]))
}

/** The time zone of the host, without asking for its name: that takes longer than the rest of a start. */
function hostTimezone(): unknown[] {
  const path = '/etc/localtime'
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return []
  return stat.isSymbolicLink() ? [readlinkSync(path)] : [stat.ino, stat.size, stat.mtimeMs]
}

/** What was kept for the key; undefined when there is nothing, or anything about it is not as it was written. */
export function recallSetup(key: string, configFiles: ConfigFiles, env = process.env): Setup | undefined {
  const directory = stateDirectory(guessStateDirectory(configFiles), env, configFiles.path)
  const text = readOwn(`${directory}/${FILE}`)
  const head = `${key} `
  if (!text?.startsWith(head)) return undefined
  const end = text.indexOf('\n')
  const body = text.slice(end + 1)
  if (text.slice(head.length, end) !== sha256(body)) return undefined
  const setup: Setup = JSON.parse(body)
  if (stateDirectory(setup.config.stateDir, env, configFiles.path) !== directory) return undefined
  const changed = Object.entries(setup.pluginDigests).some(([file, digest]) => fileDigest(file) !== digest)
  return changed ? undefined : setup
}

/** Where the state may be, before the configuration was understood. A wrong guess finds nothing. */
function guessStateDirectory({ files }: ConfigFiles): string | undefined {
  for (const { text } of files) {
    const match = /(?:^|[{,\s])["']?stateDir["']?:\s*["']?(\/[^\s"',}]*)/.exec(text)
    if (match) return match[1]
  }
  return undefined
}

/** Content of a file that nobody but this user, who is also its owner, can have written; undefined else. */
function readOwn(path: string): string | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
  try {
    const stat = fstatSync(descriptor)
    const isOwn = stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0
    return isOwn && stat.size <= MAX_BYTES ? readFileSync(descriptor, 'utf8') : undefined
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Keeps a setup in a state directory that is this user's own. Not fsynced: what a crash leaves of it has not
 * its digest. Failing is no error, the next start is only slower.
 */
export function keepSetup(key: string, setup: Setup, directory: string): void {
  const { config, jobs, checklists, files, digest, pluginDigests } = setup
  const kept: Setup = { config, jobs, checklists, files, digest, pluginDigests }
  const body = JSON.stringify(kept)
  // What JSON cannot say (".inf") is not kept. A member that is undefined is one that is missing.
  if (!Bun.deepEquals(JSON.parse(body), kept)) return
  const temporary = `${directory}/${FILE}.new`
  try {
    if (lstatSync(directory).uid !== process.geteuid?.()) return
    writeFileSync(temporary, `${key} ${sha256(body)}\n${body}`, { mode: 0o600 })
    renameSync(temporary, `${directory}/${FILE}`)
  } catch {
    // A full or read-only disk: the store will say so.
  }
}
