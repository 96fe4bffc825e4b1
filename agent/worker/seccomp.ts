import { ptr } from 'bun:ffi'
import { architecture, NUMBERS, systemCall } from '../host/libc.ts'

// Landlock says which files and ports; this filter closes what Landlock does not govern: metadata changes in
// a check, sockets of a run without network, new namespaces, tracing, and io_uring, which goes round filters.
// Numbers from the kernel's syscall tables and include/uapi/linux/{filter,seccomp,audit}.h.

interface Table {
  audit: number
  always: number[]
  noSuchCall: number[]
  metadata: number[]
  ioctl: number
  socket: number
  clone: number
  execve: number
  execveat: number
}

// fchmodat2, setxattrat, removexattrat, file_setattr: the same numbers everywhere.
const NEW_METADATA = [452, 463, 466, 469]
const IO_URING = [425, 426, 427]
const PIDFD_GETFD = 438
const CLONE3 = 435
// move_mount, open_tree, fsopen, fsconfig, fsmount, fspick, mount_setattr
const NEW_MOUNT = [428, 429, 430, 431, 432, 433, 442]

const TABLES: Record<'x64' | 'arm64', Table> = {
  x64: {
    audit: 0xc000003e,
    // ptrace, process_vm_readv/writev, mount, umount2, pivot_root, chroot, unshare, setns, bpf, perf_event_open,
    // add_key, request_key, keyctl, init_module, finit_module, delete_module, kexec_load, kexec_file_load,
    // userfaultfd, swapon, swapoff, reboot, settimeofday, clock_settime, sethostname, setdomainname
    always: [
      101,
      310,
      311,
      165,
      166,
      155,
      161,
      272,
      308,
      321,
      298,
      248,
      249,
      250,
      175,
      313,
      176,
      246,
      320,
      323,
      167,
      168,
      169,
      164,
      227,
      170,
      171,
      PIDFD_GETFD,
      ...NEW_MOUNT,
    ],
    noSuchCall: [...IO_URING, CLONE3],
    // chmod, fchmod, chown, fchown, lchown, utime, mknod, setxattr, lsetxattr, fsetxattr, removexattr,
    // lremovexattr, fremovexattr, utimes, mknodat, fchownat, futimesat, fchmodat, utimensat
    metadata: [
      90,
      91,
      92,
      93,
      94,
      132,
      133,
      188,
      189,
      190,
      197,
      198,
      199,
      235,
      259,
      260,
      261,
      268,
      280,
      ...NEW_METADATA,
    ],
    ioctl: 16,
    socket: 41,
    clone: 56,
    execve: 59,
    execveat: 322,
  },
  arm64: {
    audit: 0xc00000b7,
    always: [
      117,
      270,
      271,
      40,
      39,
      41,
      51,
      97,
      268,
      280,
      241,
      217,
      218,
      219,
      105,
      273,
      106,
      104,
      294,
      282,
      224,
      225,
      142,
      170,
      112,
      161,
      162,
      PIDFD_GETFD,
      ...NEW_MOUNT,
    ],
    noSuchCall: [...IO_URING, CLONE3],
    // setxattr … fremovexattr, mknodat, fchmod, fchmodat, fchownat, fchown, utimensat
    metadata: [5, 6, 7, 14, 15, 16, 33, 52, 53, 54, 55, 88, ...NEW_METADATA],
    ioctl: 29,
    socket: 198,
    clone: 220,
    execve: 221,
    execveat: 281,
  },
}

const FS_IOC_SETFLAGS = 0x40086602
const FS_IOC_FSSETXATTR = 0x401c5820
// CLONE_NEWTIME is outside of this mask on purpose: its bit belongs to the exit signal in clone().
const NEW_NAMESPACES = 0x7e020000

const EPERM = 1
const EACCES = 13
const ENOSYS = 38
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16

const ALLOW = 0x7fff0000
const KILL_PROCESS = 0x80000000
const refuse = (errno: number) => 0x00050000 | errno

export interface FilterRules {
  /** May change modes, owners, times and extended attributes. */
  metadata: boolean
  /** May open TCP and UDP sockets. */
  internet: boolean
  /** May ask the kernel about its network. */
  netlink: boolean
  /** May open unix sockets. */
  unixSockets: boolean
}

type Instruction = [code: number, jumpTrue: number, jumpFalse: number, value: number]

const LOAD = 0x20
const EQUAL = 0x15
const AT_LEAST = 0x35
const ANY_BIT = 0x45
const RETURN = 0x06
const load = (offset: number): Instruction => [LOAD, 0, 0, offset]
const give = (value: number): Instruction => [RETURN, 0, 0, value]
const NUMBER_OFFSET = 0
const ARCHITECTURE_OFFSET = 4
const argumentOffset = (index: number) => 16 + 8 * index

/** Refuses to execute any program, this one included: for a worker that may run none. Pure. */
export function buildExecutionFilter(processor: 'x64' | 'arm64'): Instruction[] {
  const { audit, execve, execveat } = TABLES[processor]
  return [
    load(ARCHITECTURE_OFFSET),
    [EQUAL, 1, 0, audit],
    give(KILL_PROCESS),
    load(NUMBER_OFFSET),
    [EQUAL, 1, 0, execve],
    [EQUAL, 0, 1, execveat],
    give(refuse(EACCES)),
    give(ALLOW),
  ]
}

/** The filter as instructions: pure. Anything that is not named is allowed. */
export function buildFilter(rules: FilterRules, processor: 'x64' | 'arm64'): Instruction[] {
  const table = TABLES[processor]
  const program: Instruction[] = [
    load(ARCHITECTURE_OFFSET),
    [EQUAL, 1, 0, table.audit],
    give(KILL_PROCESS),
    load(NUMBER_OFFSET),
  ]
  const when = (number: number, then: Instruction[]) => {
    program.push([EQUAL, 0, then.length, number], ...then)
  }
  if (processor === 'x64') program.push([AT_LEAST, 0, 1, 0x40000000], give(refuse(ENOSYS))) // x32
  for (const number of table.always) when(number, [give(refuse(EPERM))])
  for (const number of table.noSuchCall) when(number, [give(refuse(ENOSYS))])
  when(table.clone, [
    load(argumentOffset(0)),
    [ANY_BIT, 0, 1, NEW_NAMESPACES],
    give(refuse(EPERM)),
    give(ALLOW),
  ])
  if (!rules.metadata) {
    for (const number of table.metadata) when(number, [give(refuse(EPERM))])
    when(table.ioctl, [
      load(argumentOffset(1)),
      [EQUAL, 1, 0, FS_IOC_SETFLAGS],
      [EQUAL, 0, 1, FS_IOC_FSSETXATTR],
      give(refuse(EPERM)),
      give(ALLOW),
    ])
  }
  const families = [
    ...(rules.internet ? [AF_INET, AF_INET6] : []),
    ...(rules.internet || rules.netlink ? [AF_NETLINK] : []),
    ...(rules.unixSockets ? [AF_UNIX] : []),
  ]
  when(table.socket, [
    load(argumentOffset(0)),
    ...families.flatMap((family): Instruction[] => [[EQUAL, 0, 1, family], give(ALLOW)]),
    give(refuse(EACCES)),
  ])
  program.push(give(ALLOW))
  return program
}

const SECCOMP_SET_MODE_FILTER = 1
/** To all threads of the process, not only the calling one. */
const SECCOMP_FILTER_FLAG_TSYNC = 1

/** Installs the filter for this process and all that it executes. Needs no_new_privs to be set. */
export function installFilter(instructions: Instruction[]): void {
  const code = new DataView(new ArrayBuffer(instructions.length * 8))
  for (const [index, [operation, jumpTrue, jumpFalse, value]] of instructions.entries()) {
    code.setUint16(index * 8, operation, true)
    code.setUint8(index * 8 + 2, jumpTrue)
    code.setUint8(index * 8 + 3, jumpFalse)
    code.setUint32(index * 8 + 4, value >>> 0, true)
  }
  const bytes = new Uint8Array(code.buffer)
  const header = new DataView(new ArrayBuffer(16))
  header.setUint16(0, instructions.length, true)
  header.setBigUint64(8, BigInt(ptr(bytes)), true)
  const result = systemCall(
    NUMBERS[architecture()].seccomp,
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_FILTER_FLAG_TSYNC,
    new Uint8Array(header.buffer),
  )
  if (result !== 0) throw new Error(`Cannot install the system call filter: ${result}`)
}
