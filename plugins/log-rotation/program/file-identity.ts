import type { Files } from './files.ts'
import type { FileIdentity } from './journal-format.ts'

/** Undefined when there is nothing. */
export function identify(files: Files, path: string): FileIdentity | undefined {
  if (!files.exists(path)) return undefined
  const { dev, ino, birthtimeMs } = files.entry(path)
  return { dev: Number(dev), ino: Number(ino), bornMs: Number(birthtimeMs) }
}

export function isSameFile(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino && a.bornMs === b.bornMs
}
