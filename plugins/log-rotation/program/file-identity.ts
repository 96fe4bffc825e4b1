import type { Files } from './files.ts'
import type { FileIdentity } from './journal-format.ts'

/** Undefined when there is nothing. */
export function identify(files: Files, path: string): FileIdentity | undefined {
  const stat = files.entryIfThere(path)
  return stat && { dev: stat.dev, ino: stat.ino, bornMs: stat.birthtimeMs }
}

export function isSameFile(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino && a.bornMs === b.bornMs
}
