import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, UserError } from '../lib/errors.ts'
import type { Problem } from './problem.ts'

const MAX_FILE_BYTES = 4 * 1024 * 1024

/** The bytes of a configuration, before anything is made of them. */
export interface ConfigFiles {
  /** The main file. */
  path: string
  /** It and those of conf.d that may be used, in the order in which they are joined. */
  files: { path: string; text: string }[]
  /** Own profiles: those of profiles.d that may be used. */
  profiles: { path: string; text: string }[]
  /** Files that may not be used, because of who owns or may change them. */
  problems: Problem[]
}

/**
 * Reads the main file and, beside it, conf.d/*.yaml and profiles.d/*.yaml in byte order. Throws UserError when
 * it cannot.
 */
export function readConfigFiles(path: string): ConfigFiles {
  const problems: Problem[] = []
  const read = (files: string[]) =>
    files.flatMap((file) => {
      const text = readConfigFile(file, problems)
      return text === undefined ? [] : [{ path: file, text }]
    })
  const files = read([path, ...included(path, 'conf.d')])
  return { path, files, profiles: read(included(path, 'profiles.d')), problems }
}

function included(path: string, folder: string): string[] {
  const directory = join(dirname(path), folder)
  try {
    return readdirSync(directory)
      .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
      .sort()
      .map((name) => join(directory, name))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw new UserError(`Cannot read the directory "${directory}": ${errnoOf(error) ?? String(error)}`)
  }
}

function readConfigFile(path: string, problems: Problem[]): string | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const code = errnoOf(error)
    const reason =
      code === 'ENOENT'
        ? 'there is no such file; "reeve init" writes one'
        : code === 'EACCES'
          ? 'permission denied'
          : String(error)
    throw new UserError(`Cannot read the configuration "${path}": ${reason}`)
  }
  try {
    const stat = fstatSync(descriptor)
    const unsafe = describeUnsafe(path, stat)
    if (unsafe) {
      problems.push({ file: path, line: 0, column: 0, keyPath: '', message: unsafe })
      return undefined
    }
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

/** Who can write the configuration decides what reeve runs; who can read it learns what it guards. */
function describeUnsafe(path: string, stat: Stats): string | undefined {
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
  if (!stat.isFile()) return 'it is no regular file'
  if (stat.size > MAX_FILE_BYTES) return `it is larger than ${MAX_FILE_BYTES} bytes`
  if (stat.uid !== 0 && stat.uid !== (process.getuid?.() ?? 0)) {
    return `it belongs to user id ${stat.uid}, wanted root or the user that reeve runs as`
  }
  if (stat.mode & 0o022) return `others can write it (mode ${mode}); run: chmod go-w ${path}`
  if (stat.mode & 0o004) return `everyone can read it (mode ${mode}); run: chmod o-rwx ${path}`
  return undefined
}
