import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { architecture, systemCall } from '../../../agent/host/libc.ts'

const GET = { x64: 193, arm64: 10 } as const
const NAME = Buffer.from('security.selinux\0')
const MAX_BYTES = 4096

let isEnabled: boolean | undefined

/** Makes a file with the SELinux context of another, where the system has contexts; else just makes it. */
export function withContextOf<T>(descriptor: number | undefined, make: () => T): T {
  isEnabled ??= existsSync('/sys/fs/selinux/enforce')
  const context = isEnabled && descriptor !== undefined ? readContext(descriptor) : undefined
  if (!context) return make()
  setCreationContext(context)
  try {
    return make()
  } finally {
    setCreationContext(Buffer.alloc(0))
  }
}

function readContext(descriptor: number): Uint8Array | undefined {
  const value = Buffer.alloc(MAX_BYTES)
  const length = systemCall(GET[architecture()], descriptor, NAME, value, value.length)
  return length > 0 ? value.subarray(0, length) : undefined
}

/** Of this thread, which is the one that makes the files. Empty: what the policy says. */
function setCreationContext(context: Uint8Array): void {
  const descriptor = openSync('/proc/thread-self/attr/fscreate', 'r+')
  try {
    writeSync(descriptor, context)
  } finally {
    closeSync(descriptor)
  }
}
