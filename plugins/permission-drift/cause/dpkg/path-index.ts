const NUMBER_BITS = 20n
const MAX_NUMBER = 2 ** Number(NUMBER_BITS) - 1
const FIRST_SIZE = 4096

/**
 * Which of many numbered things a path belongs to, in 8 bytes for each pair: 44 bits of a hash with a key of this
 * process (nobody can choose a path that meets another one; two of a million meet by chance once in 10^7 look-ups)
 * and 20 of the number.
 */
export class PathIndex {
  private readonly key = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n
  private pairs = new BigUint64Array(FIRST_SIZE)
  private used = 0
  private isSorted = true

  /** Throws RangeError for a number of 2^20 and more. */
  add(path: string, number: number): void {
    if (number > MAX_NUMBER) throw new RangeError(`Cannot index ${number}: at most ${MAX_NUMBER}`)
    if (this.used === this.pairs.length) {
      const wider = new BigUint64Array(this.used * 2)
      wider.set(this.pairs)
      this.pairs = wider
    }
    this.pairs[this.used++] = this.hashOf(path) | BigInt(number)
    this.isSorted = false
  }

  /** The numbers that a path was added with, ascending. */
  numbersOf(path: string): number[] {
    if (!this.isSorted) this.pairs.subarray(0, this.used).sort()
    this.isSorted = true
    const hash = this.hashOf(path)
    const numbers: number[] = []
    for (let at = this.firstFrom(hash); at < this.used; at++) {
      const difference = (this.pairs[at] ?? 0n) - hash
      if (difference > BigInt(MAX_NUMBER)) break
      numbers.push(Number(difference))
    }
    return numbers
  }

  private firstFrom(value: bigint): number {
    let low = 0
    let high = this.used
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.pairs[middle] ?? 0n) < value) low = middle + 1
      else high = middle
    }
    return low
  }

  private hashOf(path: string): bigint {
    return BigInt.asUintN(64, BigInt(Bun.hash.wyhash(path, this.key)) << NUMBER_BITS)
  }
}
