import {
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs'
import {
  type Configuration,
  parseConfiguration,
  type Surroundings,
  startConfiguration,
} from '../logrotate/parse.ts'
import { DEFAULTS, type LogSet, type Ownership } from '../logrotate/settings.ts'
import { describe } from './describe.ts'
import { glob, nameMatcher } from './glob.ts'
import { accounts, asUser, isPrivileged } from './identity.ts'
import type { Output } from './output.ts'
import { directoryOf, oldDirectoryOf } from './paths.ts'

const MAX_BYTES = 16 * 1_048_576
const MAX_DEPTH = 100

/** Reads configurations in the order given; each changes the defaults of those after it. */
export function readConfigurations(paths: string[], output: Output, dryRun: boolean): LogSet[] {
  const configuration = startConfiguration(DEFAULTS)
  for (const path of paths) readPath(path, configuration, output, dryRun, 0)
  return configuration.sets
}

/** A file, or the files of a directory without the taboo ones. False when something in it is wrong. */
function readPath(
  path: string,
  into: Configuration,
  output: Output,
  dryRun: boolean,
  depth: number,
): boolean {
  if (depth > MAX_DEPTH) {
    output.error(`${path}: include nesting too deep`)
    return false
  }
  try {
    if (!statSync(path).isDirectory()) return readFile(path, path, into, output, dryRun, depth)
    let clean = true
    for (const name of readdirSync(path).sort()) {
      const taboo = tabooOf(name, into)
      if (taboo !== undefined) output.debug(`Ignoring ${name}, because of ${taboo} pattern match`)
      else if (!readFile(`${path}/${name}`, name, into, output, dryRun, depth)) clean = false
    }
    return clean
  } catch (error) {
    output.error(`cannot stat ${path}: ${describe(error)}`)
    return false
  }
}

function tabooOf(name: string, { tabooExtensions, tabooPatterns }: Configuration): string | undefined {
  if (name === '.' || name === '..') return name
  return [...tabooExtensions.map((extension) => `*${extension}`), ...tabooPatterns].find((pattern) =>
    nameMatcher(pattern).test(name),
  )
}

function readFile(
  path: string,
  shown: string,
  into: Configuration,
  output: Output,
  dryRun: boolean,
  depth: number,
): boolean {
  const text = readTrusted(path, shown, output)
  if (text === undefined) return true
  output.debug(`reading config file ${shown}`)
  const before = { ...into.defaults }
  const around: Surroundings = {
    ...accounts,
    glob,
    error: output.error,
    debug: output.debug,
    include: (name, target) => {
      output.debug(`including ${name}`)
      return readPath(name, target, output, dryRun, depth + 1)
    },
    verifyOldDirectory: (set) =>
      asUser(dryRun ? undefined : set.settings.su, () => verifyOldDirectory(set, dryRun)),
  }
  const clean = parseConfiguration(text, shown, into, around)
  if (!clean) output.failed = true
  if (!clean && depth > 0) {
    output.complaint(`found error in file ${shown}, skipping`)
    Object.assign(into.defaults, before)
  }
  return clean
}

/** The text of a configuration that nobody but its owner can have written. Undefined: it is not used. */
function readTrusted(path: string, shown: string, output: Output): string | undefined {
  // Without waiting: a named pipe among the files must not hold up the rest.
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) {
    output.error(`failed to open config file ${shown}: No such file or directory`)
    return undefined
  }
  const isStandardInput =
    path === '/dev/stdin' || path.startsWith('/dev/fd/') || path.startsWith('/proc/self/fd/')
  if (!stat.isFile() && !isStandardInput) {
    output.debug(`Ignoring ${shown} because it's not a regular file.`)
    return undefined
  }
  const descriptor = openSync(path, 'r')
  try {
    const { mode, uid, size } = fstatSync(descriptor)
    if (isStandardInput) return readFileSync(descriptor, 'utf8')
    if ((mode & 0o022) !== 0) {
      output.warning(`Potentially dangerous mode on ${shown}: 0${(mode & 0o7777).toString(8)}`)
      output.error(`Ignoring ${shown} because it is writable by group or others.`)
      return undefined
    }
    if (isPrivileged() && uid !== 0) {
      output.error(`Ignoring ${shown} because the file owner is wrong (should be root or user with uid 0).`)
      return undefined
    }
    if (size > MAX_BYTES) {
      output.error(`file ${shown} too large, probably not a config file.`)
      return undefined
    }
    if (size === 0) {
      output.debug(`Ignoring ${shown} because it's empty.`)
      return undefined
    }
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

function verifyOldDirectory({ files, settings }: LogSet, dryRun: boolean): string | undefined {
  if (settings.oldDirectory === undefined) return undefined
  for (const file of files) {
    const log = statSync(directoryOf(file), { throwIfNoEntry: false })
    if (!log) {
      if (settings.missingOk) continue
      return `error verifying log file path ${directoryOf(file)}: No such file or directory`
    }
    const directory = oldDirectoryOf(file, settings.oldDirectory)
    if (settings.createOldDirectory && !statSync(directory, { throwIfNoEntry: false })) {
      if (dryRun) continue
      makeDirectory(directory, settings.createOldDirectory, log)
    }
    const old = statSync(directory, { throwIfNoEntry: false })
    if (!old) {
      if (settings.missingOk) continue
      return `error verifying olddir path ${directory}: No such file or directory`
    }
    if (!old.isDirectory()) return `path ${directory} already exists, but it is not a directory`
    if (old.dev !== log.dev && settings.keep === 'rename') {
      return `olddir ${directory} and log file ${file} are on different devices`
    }
  }
  return undefined
}

/** Only what is missing; the wanted mode and owners are those of every directory that is made. */
function makeDirectory(path: string, wanted: Ownership, like: { uid: number; gid: number }): void {
  const parent = directoryOf(path)
  if (!statSync(parent, { throwIfNoEntry: false })) makeDirectory(parent, wanted, like)
  mkdirSync(path, { mode: 0o700 })
  if (wanted.uid !== undefined || wanted.gid !== undefined) {
    chownSync(
      path,
      wanted.uid ?? process.geteuid?.() ?? like.uid,
      wanted.gid ?? process.getegid?.() ?? like.gid,
    )
  }
  chmodSync(path, wanted.mode ?? 0o755)
}
