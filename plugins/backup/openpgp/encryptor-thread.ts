// A thread that encrypts one stream: the program that a `Worker` of encryptor.ts runs.
import { release } from '../memory.ts'
import { type Order, type Reply, roomBytes } from './encryptor.ts'
import { DataEncryptor } from './protected-data.ts'

declare const self: Worker

const ROOM_STEP_BYTES = 1_048_576

let encryptor: DataEncryptor | undefined

self.onmessage = ({ data: order }: MessageEvent<Order>) => {
  const reply = answer(order)
  self.postMessage(reply, 'packet' in reply ? [reply.packet.buffer] : [])
}

function answer({ sessionKey, chunk, spare }: Order): Reply {
  try {
    encryptor ??= sessionKey && new DataEncryptor(sessionKey)
    if (!encryptor) throw new Error('there is no key')
    const room = roomFor(roomBytes(chunk?.length ?? 0), spare)
    let used = 0
    for (const piece of chunk ? encryptor.push(chunk) : encryptor.finish()) {
      room.set(piece, used)
      used += piece.length
    }
    if (chunk) release(chunk)
    return { packet: room.subarray(0, used) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

/** All rooms are of a few sizes, so that those that come back fit again. */
function roomFor(bytes: number, spare: ArrayBuffer | undefined): Uint8Array<ArrayBuffer> {
  if (spare && spare.byteLength >= bytes) return new Uint8Array(spare)
  spare?.transfer(0)
  return new Uint8Array(Math.ceil(bytes / ROOM_STEP_BYTES) * ROOM_STEP_BYTES)
}
