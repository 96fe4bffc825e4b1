import type { Anchor } from './anchors.ts'

/** Called with where an anchor begins and ends; one may lie in another. */
export type OnAnchor = (anchor: Anchor, start: number, end: number) => void

/** How much of each anchor the tables know: no shorter one can be searched for. */
const WINDOW = 3

/**
 * Searches bytes for many texts at once, by Wu and Manber's method: two bytes say how far the next place is where a text
 * can end, so most bytes are never looked at. It makes no objects and no text.
 */
export class AnchorSearch {
  /** By two bytes: how far to go on; 0 where the window of an anchor may end. */
  private readonly shifts = new Uint8Array(65_536).fill(WINDOW - 1)
  private readonly ending = new Map<number, { anchor: Anchor; lower: Uint8Array }[]>()
  /** The same by two bytes, to be found quickly. */
  private readonly buckets: ({ anchor: Anchor; lower: Uint8Array }[] | undefined)[]

  constructor(anchors: readonly Anchor[]) {
    for (const anchor of anchors) {
      if (anchor.text.length < WINDOW) throw new Error(`Cannot search for "${anchor.text}": it is too short`)
      const lower = new Uint8Array(
        Buffer.from(anchor.exact ? anchor.text : anchor.text.toLowerCase(), 'latin1'),
      )
      for (let end = 2; end <= WINDOW; end++) {
        for (const block of blocks(anchor, end)) {
          const shift = WINDOW - end
          if (shift < (this.shifts[block] ?? 0)) this.shifts[block] = shift
          if (shift > 0) continue
          const bucket = this.ending.get(block) ?? []
          bucket.push({ anchor, lower })
          this.ending.set(block, bucket)
        }
      }
    }
    this.buckets = new Array(65_536)
    for (const [block, bucket] of this.ending) this.buckets[block] = bucket
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
      const from = at - WINDOW + 1
      const bucket = buckets[block]
      if (bucket) {
        for (const { anchor, lower } of bucket) {
          if (isAt(bytes, from, end, lower, anchor.exact === true))
            onAnchor(anchor, from, from + lower.length)
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

function isAt(bytes: Uint8Array, from: number, end: number, lower: Uint8Array, exact: boolean): boolean {
  if (from + lower.length > end) return false
  for (let index = 0; index < lower.length; index++) {
    let byte = bytes[from + index] as number
    if (!exact && byte >= 65 && byte <= 90) byte |= 32
    if (byte !== lower[index]) return false
  }
  return true
}
