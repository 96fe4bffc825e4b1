import { architecture, NUMBERS, systemCall } from './libc.ts'

// From the kernel's include/uapi/linux/fcntl.h and include/uapi/asm-generic/{fcntl,errno,signal}.h.
const F_SETSIG = 10
const F_SETLEASE = 1024
const F_RDLCK = 0
const F_UNLCK = 2
const EAGAIN = 11
/** Ignored unless a program asks for it: the default signal of a broken lease would end this process. */
const SIGURG = 23

/**
 * Whether any process has the file behind a read-only descriptor open for writing: the kernel grants a read
 * lease only where none has. Undefined where it does not tell: another user's file without CAP_LEASE, or a
 * file system without leases. /proc would tell too, but not within Landlock.
 */
export function isOpenForWriting(descriptor: number): boolean | undefined {
  const { fcntl } = NUMBERS[architecture()]
  systemCall(fcntl, descriptor, F_SETSIG, SIGURG)
  const result = systemCall(fcntl, descriptor, F_SETLEASE, F_RDLCK)
  if (result >= 0) {
    systemCall(fcntl, descriptor, F_SETLEASE, F_UNLCK)
    return false
  }
  return result === -EAGAIN ? true : undefined
}
