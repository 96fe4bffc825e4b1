import { encodeName } from '../lib/names.ts'

export { decodeName } from '../lib/names.ts'

/** What to hand to a system call for `path`: the string itself unless it holds escaped bytes. */
export function toSystemPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeName(path)
}
