// The runtime's own hashes: node:crypto takes longer to load than a start or a run has to spare.

/** SHA-256 of the parts, one after the other; 64 hex digits. */
export function sha256(...parts: (string | Uint8Array)[]): string {
  const hasher = new Bun.CryptoHasher('sha256')
  for (const part of parts) hasher.update(part)
  return hasher.digest('hex')
}

/** HMAC-SHA-256; 64 hex digits. */
export function hmacSha256(key: Uint8Array, data: string | Uint8Array): string {
  return new Bun.CryptoHasher('sha256', key).update(data).digest('hex')
}
