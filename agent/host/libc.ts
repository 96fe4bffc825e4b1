import { dlopen, ptr, read } from 'bun:ffi'
import { existsSync } from 'node:fs'

// The few system calls that the runtime does not offer. `syscall` and `prctl` are variadic in C; on x86-64
// and arm64 Linux integer arguments of variadic functions go into the same registers, so fixed ones do.

/** The C library of this machine, for dlopen. */
export const C_LIBRARY = ['libc.so.6', '/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-aarch64.so.1'].find(
  (name) => !name.startsWith('/') || existsSync(name),
) as string

const libc = dlopen(C_LIBRARY, {
  syscall: { args: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i64' },
  prctl: { args: ['i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i64' },
  __errno_location: { args: [], returns: 'ptr' },
}).symbols

/** Calls by number for x86-64 and arm64; those from 424 on are the same everywhere. */
export const NUMBERS = {
  x64: {
    adjtimex: 159,
    capset: 126,
    fgetxattr: 193,
    fsetxattr: 190,
    llistxattr: 195,
    lgetxattr: 192,
    lsetxattr: 189,
    lseek: 8,
    utimensat: 280,
    madvise: 28,
    fcntl: 72,
    flock: 73,
    gettid: 186,
    socket: 41,
    sendto: 44,
    wait4: 61,
    ioprio_set: 251,
    setpriority: 141,
    sched_setscheduler: 144,
    prlimit64: 302,
    seccomp: 317,
    setxattr: 188,
    removexattr: 197,
    inotify_init1: 294,
    inotify_add_watch: 254,
    inotify_rm_watch: 255,
  },
  arm64: {
    adjtimex: 171,
    capset: 91,
    fgetxattr: 10,
    fsetxattr: 7,
    llistxattr: 12,
    lgetxattr: 9,
    lsetxattr: 6,
    lseek: 62,
    utimensat: 88,
    madvise: 233,
    fcntl: 25,
    flock: 32,
    gettid: 178,
    socket: 198,
    sendto: 206,
    wait4: 260,
    ioprio_set: 30,
    setpriority: 140,
    sched_setscheduler: 119,
    prlimit64: 261,
    seccomp: 277,
    setxattr: 5,
    removexattr: 14,
    inotify_init1: 26,
    inotify_add_watch: 27,
    inotify_rm_watch: 28,
  },
} as const

export const LANDLOCK_CREATE_RULESET = 444
export const LANDLOCK_ADD_RULE = 445
export const LANDLOCK_RESTRICT_SELF = 446

export function architecture(): 'x64' | 'arm64' {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch
  throw new Error(`Cannot make system calls on "${process.arch}": only x64 and arm64 are known`)
}

type Argument = number | bigint | NodeJS.TypedArray

function toInteger(argument: Argument): bigint {
  if (typeof argument === 'bigint') return argument
  return BigInt(typeof argument === 'number' ? argument : ptr(argument))
}

/** Result of a system call, or a negative errno. Numbers, or buffers that are passed by address. */
export function systemCall(number: number, ...args: Argument[]): number {
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = args.map(toInteger)
  return withErrno(Number(libc.syscall(BigInt(number), a, b, c, d, e, f)))
}

/** Result of prctl, or a negative errno. */
export function processControl(option: number, ...args: Argument[]): number {
  const [a = 0n, b = 0n, c = 0n, d = 0n] = args.map(toInteger)
  return withErrno(Number(libc.prctl(BigInt(option), a, b, c, d)))
}

/** The result of a function of the C library, or a negative errno where it is -1. */
export function withErrno(result: number): number {
  if (result !== -1) return result
  const location = libc.__errno_location()
  if (location === null) return -1
  return -read.i32(location, 0)
}
