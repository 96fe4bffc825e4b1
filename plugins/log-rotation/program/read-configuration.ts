import { closeSync, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import {
  type Configuration,
  disown,
  parseConfiguration,
  type Surroundings,
  startConfiguration,
} from '../logrotate/parse.ts'
import { DEFAULTS, type LogSet } from '../logrotate/settings.ts'
import { accounts } from './accounts.ts'
import { compareBytes, nameOf, textOf } from './bytes.ts'
import { describe } from './describe.ts'
import { nameMatcher } from './fnmatch.ts'
import { entryOf, globLogs } from './glob.ts'
import { isPrivileged } from './identity.ts'
import { isPrintable } from './locale.ts'
import { verifyOldDirectory } from './old-directory.ts'
import type { Output } from './output.ts'

const MAX_BYTES = 0xff_ffff
const MAX_DEPTH = 16

/** Reads configurations in the order given; each changes the defaults of those after it. Errors are told. */
export function readConfigurations(paths: string[], output: Output, dryRun: boolean): LogSet[] {
  const configuration = startConfiguration(DEFAULTS)
  const reading = { output, dryRun, depth: 0, directory: '' }
  for (const path of paths) if (!readPath(path, configuration, reading)) output.failed = true
  return configuration.sets
}

interface Reading {
  output: Output
  dryRun: boolean
  depth: number
  /** Where names without a directory are looked for; '' is where the program was called. */
  directory: string
}

/** A file, or the files of a directory without the taboo ones. False when something in it is wrong. */
function readPath(path: string, into: Configuration, reading: Reading): boolean {
  const { output } = reading
  const actual = path.startsWith('/') ? path : reading.directory + path
  try {
    if (!statSync(nameOf(actual)).isDirectory()) return readRestoring(actual, path, into, reading)
  } catch (error) {
    output.error(`cannot stat ${path}: ${describe(error)}`)
    return false
  }
  let names: string[]
  try {
    names = readdirSync(nameOf(actual), { encoding: 'buffer' }).map(textOf)
  } catch (error) {
    output.error(`cannot open directory ${path}: ${describe(error)}`)
    return false
  }
  const matchers = into.taboo.patterns.map((pattern) => ({ pattern, matches: nameMatcher(pattern) }))
  const wanted = names.filter((name) => {
    const taboo = matchers.find(({ matches }) => matches(name))
    if (taboo) output.debug(`Ignoring ${name}, because of ${taboo.pattern} pattern match`)
    return !taboo
  })
  let isClean = true
  for (const name of wanted.sort(compareBytes)) {
    const directory = `${actual.replace(/\/+$/, '')}/`
    if (readRestoring(directory + name, name, into, { ...reading, directory })) continue
    output.error(`found error in file ${name}, skipping`)
    isClean = false
  }
  return isClean
}

/** What a file in error said of the defaults does not count, and a block that it was included into is left without logs. */
function readRestoring(path: string, shown: string, into: Configuration, reading: Reading): boolean {
  const before = { ...into.defaults }
  const isClean = readFile(path, shown, into, reading)
  if (isClean) return true
  Object.assign(into.defaults, before)
  if (into.set) {
    disown(into, into.set)
    into.set.pattern = '(null)'
  }
  return false
}

function readFile(path: string, shown: string, into: Configuration, reading: Reading): boolean {
  const { output, dryRun, depth } = reading
  const text = readTrusted(path, shown, output)
  if (typeof text !== 'string') return text.isClean
  output.debug(`reading config file ${shown}`)
  const around: Surroundings = {
    ...accounts,
    glob: (pattern) => globLogs(pattern, accounts.home),
    isDirectory: (log) => entryOf(log)?.isDirectory() ?? false,
    isPrintable,
    error: output.error,
    warning: output.warning,
    debug: output.debug,
    mayInclude: depth < MAX_DEPTH,
    include: (name, target) => readPath(name, target, { ...reading, depth: depth + 1 }),
    verifyOldDirectory: (set, place) => verifyOldDirectory(set, place, dryRun, output),
  }
  return parseConfiguration(text, shown, into, around)
}

const IGNORED = { isClean: true }
const REFUSED = { isClean: false }

/** The text of a configuration that nobody but root can have written, where root reads it. */
function readTrusted(path: string, shown: string, output: Output): string | { isClean: boolean } {
  const isStream = path === '/dev/stdin' || path.startsWith('/dev/fd/') || path.startsWith('/proc/self/fd/')
  try {
    // Without waiting: a named pipe among the files must not hold up the rest.
    if (!isStream && !statSync(nameOf(path)).isFile()) {
      output.debug(`Ignoring ${shown} because it's not a regular file.`)
      return IGNORED
    }
    const descriptor = openSync(nameOf(path), 'r')
    try {
      if (!fstatSync(descriptor).isFile()) return textOf(readFileSync(descriptor))
      return isAcceptable(descriptor, shown, output) ?? textOf(readFileSync(descriptor))
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    output.error(`failed to open config file ${shown}: ${describe(error)}`)
    return REFUSED
  }
}

function isAcceptable(descriptor: number, shown: string, output: Output): { isClean: boolean } | undefined {
  const { mode, uid, size } = fstatSync(descriptor)
  if (isPrivileged()) {
    if ((mode & 0o7533) !== 0o400) {
      output.warning(`Potentially dangerous mode on ${shown}: 0${(mode & 0o7777).toString(8)}`)
    }
    if ((mode & 0o022) !== 0) {
      output.error(`Ignoring ${shown} because it is writable by group or others.`)
      return REFUSED
    }
    if (uid !== 0) {
      output.error(`Ignoring ${shown} because the file owner is wrong (should be root or user with uid 0).`)
      return REFUSED
    }
  }
  if (size > MAX_BYTES) {
    output.error(`file ${shown} too large, probably not a config file.`)
    return REFUSED
  }
  if (size > 0) return undefined
  output.debug(`Ignoring ${shown} because it's empty.`)
  return IGNORED
}
