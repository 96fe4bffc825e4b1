import { formatBytes, printablePath } from '../../../agent/contract/mod.ts'
import type { ContentEntry } from '../restore/contents.ts'

/** Entries that are shown one by one, where there may be millions. */
export const LISTED_ENTRIES = 1000

const TYPE_LETTERS = {
  file: '-',
  'hard-link': 'h',
  symlink: 'l',
  directory: 'd',
  fifo: 'p',
  'block-device': 'b',
  'character-device': 'c',
} as const satisfies Record<ContentEntry['type'], string>

/** One line, much like `ls -l` writes it. */
export function describeEntry(name: string, entry: ContentEntry): string {
  const mode = entry.mode.toString(8).padStart(4, '0')
  const time = new Date(Number(entry.mtimeNs / 1_000_000n)).toISOString().slice(0, 19)
  const link = entry.linkName === '' ? '' : ` -> ${printablePath(entry.linkName)}`
  const size = entry.type === 'file' ? formatBytes(entry.size) : '-'
  return [
    `${TYPE_LETTERS[entry.type]}${mode}`,
    `${entry.uid}:${entry.gid}`,
    size.padStart(9),
    time,
    `${printablePath(name)}${link}`,
  ].join('  ')
}
