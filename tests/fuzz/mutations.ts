/** Which number of mutations, and from where: REEVE_FUZZ_RUNS=10000 REEVE_FUZZ_SEED=7 is the long form. */
export const RUNS =
  process.env.REEVE_FUZZ_RUNS === undefined ? undefined : Number(process.env.REEVE_FUZZ_RUNS)
export const SEED = Number(process.env.REEVE_FUZZ_SEED ?? 20_261_123)

/** Marsaglia's xorshift32: small, and the same everywhere. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const MUTATIONS: Record<string, (bytes: Buffer, random: (below: number) => number) => Buffer> = {
  'a bit flipped': (bytes, random) => {
    const changed = Buffer.from(bytes)
    const at = random(bytes.length)
    changed[at] = (changed[at] ?? 0) ^ (1 << random(8))
    return changed
  },
  'the end cut off': (bytes, random) => bytes.subarray(0, random(bytes.length)),
  'the beginning cut off': (bytes, random) => bytes.subarray(1 + random(bytes.length - 1)),
  'bytes taken out': (bytes, random) => {
    const at = random(bytes.length - 1)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(50))])
  },
  'bytes put in': (bytes, random) => {
    const at = random(bytes.length + 1)
    const more = Buffer.from(Array.from({ length: 1 + random(50) }, () => random(256)))
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])
  },
  'bytes overwritten': (bytes, random) => {
    const changed = Buffer.from(bytes)
    const at = random(bytes.length)
    for (let index = at; index < Math.min(at + 1 + random(50), bytes.length); index++)
      changed[index] = random(256)
    return changed
  },
  'two parts exchanged': (bytes, random) => {
    const [a = 0, b = 0, c = 0] = [random(bytes.length), random(bytes.length), random(bytes.length)].sort(
      (x, y) => x - y,
    )
    return Buffer.concat([
      bytes.subarray(0, a),
      bytes.subarray(b, c),
      bytes.subarray(a, b),
      bytes.subarray(c),
    ])
  },
}

/** What became of the bytes, and how. */
export function mutate(bytes: Buffer, random: (below: number) => number): { what: string; damaged: Buffer } {
  const all = Object.entries(MUTATIONS)
  const [what, change] = all[random(all.length)] ?? ['nothing', (same: Buffer) => same]
  return { what, damaged: change(bytes, random) }
}
