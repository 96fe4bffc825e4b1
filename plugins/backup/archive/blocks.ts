/** Blocks that are used again: waiting for the garbage collector would take a multiple of the memory. */
export class BlockPool {
  private readonly free: Uint8Array[] = []

  constructor(readonly blockBytes: number) {}

  take(): Uint8Array {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes)
  }

  /** Gives a block back that nobody reads any more. A part of a block is left alone. */
  give(block: Uint8Array): void {
    if (block.length === this.blockBytes) this.free.push(block)
  }
}

/** Gathers bytes in blocks of one size. */
export class BlockBuffer {
  private full: Uint8Array[] = []
  private block: Uint8Array
  private used = 0

  constructor(private readonly pool: BlockPool) {
    this.block = pool.take()
  }

  put(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; ) {
      const room = this.room(bytes.length - offset)
      room.set(bytes.subarray(offset, offset + room.length))
      this.advance(room.length)
      offset += room.length
    }
  }

  /** Free room in the present block, at most `bytes` and at least 1, to be filled from its beginning. */
  room(bytes: number): Uint8Array {
    return this.block.subarray(this.used, Math.min(this.used + bytes, this.block.length))
  }

  /** So many bytes of the room were filled. */
  advance(bytes: number): void {
    this.used += bytes
    if (this.used < this.block.length) return
    this.full.push(this.block)
    this.block = this.pool.take()
    this.used = 0
  }

  get hasFull(): boolean {
    return this.full.length > 0
  }

  takeFull(): Uint8Array[] {
    const full = this.full
    this.full = []
    return full
  }

  /** The full blocks and what is left. */
  takeAll(): Uint8Array[] {
    const rest = this.block.subarray(0, this.used)
    this.used = 0
    return rest.length > 0 ? [...this.takeFull(), rest] : this.takeFull()
  }
}
