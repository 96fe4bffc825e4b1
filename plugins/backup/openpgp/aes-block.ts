export const AES_BLOCK_BYTES = 16

/** The same memory in words of 32 bits, without what is left at its end. */
export function words({ buffer, byteOffset, length }: Uint8Array): Int32Array {
  return new Int32Array(buffer, byteOffset, Math.floor(length / 4))
}
