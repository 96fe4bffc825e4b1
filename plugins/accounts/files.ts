import { errnoOf, type HostReader } from '../../agent/contract/mod.ts'

const MAX_BYTES = 4 * 1024 * 1024

/** Text of a file, links followed; undefined when there is none. Throws when it cannot be read. */
export function textOf(host: HostReader, path: string): string | undefined {
  try {
    return host.readText(path, { maxBytes: MAX_BYTES, follow: true })
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}

export interface Line {
  path: string
  /** From 1. */
  line: number
  text: string
}

/** Lines without blanks around them, and without comments. Pure. */
export function linesOf(path: string, text: string): Line[] {
  return text
    .split('\n')
    .map((line, index) => ({ path, line: index + 1, text: line.trim() }))
    .filter(({ text: content }) => content !== '' && !content.startsWith('#'))
}
