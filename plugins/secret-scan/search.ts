import type { Anchor } from './anchors.ts'

/** Called with where an anchor begins and ends; one may lie in another. */
export type OnAnchor = (anchor: Anchor, start: number, end: number) => void

/** How much of each anchor the tables know: no shorter one can be searched for. */
const WINDOW = 3
/** Pairs of letters that are everywhere in English, and so in settings, logs and programs. */
const COMMON = new Set(
  (
    'th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne ' +
    'ea ra ce li ch ll be ma si om ur pa us et ec'
  ).split(' '),
)

/** An anchor with the part of it that the tables know: the one that is met the least. */
interface Needle {
  anchor: Anchor
  /** In small letters, where case does not count. */
  bytes: Uint8Array
  /** Where that part begins. */
  offset: number
}

/**
 * Searches bytes for many texts at once, by Wu and Manber's method: two bytes say how far the next place is where a text
 * can end, so most bytes are never looked at. It makes no objects and no text.
 */
export class AnchorSearch {
  /** By two bytes: how far to go on; 0 where the window of an anchor may end. */
  private readonly shifts = new Uint8Array(65_536).fill(WINDOW - 1)
  /** By two bytes: what may be there. */
  private readonly buckets: (Needle[] | undefined)[] = new Array(65_536)

  constructor(anchors: readonly Anchor[]) {
    for (const anchor of anchors) {
      if (anchor.text.length < WINDOW) throw new Error(`Cannot search for "${anchor.text}": it is too short`)
      const text = anchor.exact ? anchor.text : anchor.text.toLowerCase()
      const needle = { anchor, bytes: new Uint8Array(Buffer.from(text, 'latin1')), offset: rarest(text) }
      for (let end = 2; end <= WINDOW; end++) {
        for (const block of blocks(anchor, needle.offset + end)) {
          const shift = WINDOW - end
          if (shift < (this.shifts[block] ?? 0)) this.shifts[block] = shift
          if (shift === 0) this.buckets[block] = [...(this.buckets[block] ?? []), needle]
        }
      }
    }
  }

  /** Every place of every anchor from `start` to `end`, in order. */
  search(bytes: Uint8Array, start: number, end: number, onAnchor: OnAnchor): void {
    const { shifts, buckets } = this
    let at = start + WINDOW - 1
    while (at < end) {
      // Both bytes are there: `at` is below the end, and at least two above the start.
      const block = ((bytes[at - 1] as number) << 8) | (bytes[at] as number)
      const shift = shifts[block] as number
      if (shift > 0) {
        at += shift
        continue
      }
      const bucket = buckets[block]
      if (bucket) {
        for (const needle of bucket) {
          const from = at - WINDOW + 1 - needle.offset
          if (from >= start && isAt(bytes, from, end, needle)) {
            onAnchor(needle.anchor, from, from + needle.bytes.length)
          }
        }
      }
      at++
    }
  }
}

/** The two bytes before `end` of an anchor, in each case. */
function blocks({ text, exact }: Anchor, end: number): number[] {
  const forms = (index: number): number[] => {
    const character = text[index] ?? ''
    const both = exact ? [character] : [character.toLowerCase(), character.toUpperCase()]
    return [...new Set(both)].map((form) => form.charCodeAt(0))
  }
  return forms(end - 2).flatMap((first) => forms(end - 1).map((second) => (first << 8) | second))
}

/** Where the three letters begin of which the last two, then the first two, are the rarest. */
function rarest(text: string): number {
  const commonness = (at: number) => {
    const pair = (from: number) => (COMMON.has(text.slice(from, from + 2).toLowerCase()) ? 1 : 0)
    return 2 * pair(at + 1) + pair(at)
  }
  let best = 0
  for (let at = 1; at + WINDOW <= text.length; at++) if (commonness(at) < commonness(best)) best = at
  return best
}

function isAt(text: Uint8Array, from: number, end: number, { anchor, bytes }: Needle): boolean {
  if (from + bytes.length > end) return false
  for (let index = 0; index < bytes.length; index++) {
    let byte = text[from + index] as number
    if (!anchor.exact && byte >= 65 && byte <= 90) byte |= 32
    if (byte !== bytes[index]) return false
  }
  return true
}
