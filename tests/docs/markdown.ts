import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const CHECKOUT = join(import.meta.dir, '../..')

/** A fenced block of code. */
export interface Block {
  page: string
  /** Of its first line of text, from 1. */
  line: number
  /** First word after the fence: "sh", "yaml". */
  language: string
  /** What follows that word: "not-run: needs root", "file=plugins/a/plugin.ts". */
  note: string
  text: string
}

/** Paths, below the checkout, of every page that git knows or would add. */
export function pages(): string[] {
  const { stdout } = Bun.spawnSync(
    ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '--', '*.md'],
    { cwd: CHECKOUT },
  )
  return stdout.toString().split('\n').filter(Boolean)
}

export function readPage(page: string): string {
  return readFileSync(join(CHECKOUT, page), 'utf8')
}

/** The blocks of a page, in their order. */
export function blocksOf(page: string, text = readPage(page)): Block[] {
  const blocks: Block[] = []
  let open: Block | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const [, language = '', note = ''] = /^```(\S*) ?(.*)$/.exec(line) ?? []
    if (!line.startsWith('```')) {
      if (open) open.text += `${line}\n`
    } else if (open) {
      blocks.push(open)
      open = undefined
    } else open = { page, line: index + 2, language, note, text: '' }
  }
  if (open) throw new Error(`${page}: the block at line ${open.line} has no end`)
  return blocks
}

/** The file that a block with "file=PATH" stands for. */
export function fileOf({ note }: Block): string | undefined {
  return /^file=(\S+)$/.exec(note)?.[1]
}

/** Text of a page without its blocks. */
export function proseOf(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '')
}

/** Anchors of the headings of a page, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>()
  return new Set(
    [...proseOf(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
      const anchor = heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
      const count = seen.get(anchor) ?? 0
      seen.set(anchor, count + 1)
      return count === 0 ? anchor : `${anchor}-${count}`
    }),
  )
}

/** Targets of the links of a page that lead to a file or an anchor of this project. */
export function ownLinksOf(text: string): string[] {
  const targets = [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return targets.filter((target) => !/^[a-z]+:/.test(target))
}
