import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { buildExecutionFilter, buildFilter } from '../../../agent/worker/seccomp.ts'
import { testWith } from '../../kit/needs.ts'

// The filters as the kernel would run them: a small interpreter of classic BPF over struct seccomp_data.

type Program = ReturnType<typeof buildFilter>
type Processor = 'x64' | 'arm64'

const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 }
const LOAD_WORD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06

interface Call {
  number: number
  arguments?: number[]
  audit?: number
}

/** What the filter answers: "allow", "kill", or the errno. Throws for a program that the kernel would not take. */
function answer(program: Program, processor: Processor, call: Call): string | number {
  const data = new DataView(new ArrayBuffer(64))
  data.setUint32(0, call.number, true)
  data.setUint32(4, call.audit ?? AUDIT[processor], true)
  for (const [index, value] of (call.arguments ?? []).entries())
    data.setBigUint64(16 + 8 * index, BigInt(value), true)
  let accumulator = 0
  for (let at = 0; ; at++) {
    const instruction = program[at]
    if (!instruction) throw new Error(`the filter ends without an answer, at ${at}`)
    const [code, jumpTrue, jumpFalse, value] = instruction
    const jump = (isTrue: boolean) => {
      at += isTrue ? jumpTrue : jumpFalse
    }
    if (jumpTrue > 255 || jumpFalse > 255) throw new Error(`a jump over more than 255 instructions, at ${at}`)
    if (code === LOAD_WORD) accumulator = data.getUint32(value, true)
    else if (code === JUMP_EQUAL) jump(accumulator === value >>> 0)
    else if (code === JUMP_AT_LEAST) jump(accumulator >= value >>> 0)
    else if (code === JUMP_ANY_BIT) jump((accumulator & value) !== 0)
    else if (code === RETURN) return describe(value)
    else throw new Error(`an unknown instruction, at ${at}`)
  }
}

function describe(value: number): string | number {
  const action = (value & 0xffff0000) >>> 0
  if (action === 0x7fff0000) return 'allow'
  if (action === 0x80000000) return 'kill'
  if (action === 0x00050000) return value & 0xffff
  throw new Error(`an unknown action ${value}`)
}

const EPERM = 1
const EACCES = 13
const ENOSYS = 38

/** [x86-64, arm64]; undefined where the processor has no such call. From the kernel's tables. */
const NUMBERS: Record<string, [number | undefined, number | undefined]> = {
  read: [0, 63],
  openat: [257, 56],
  openat2: [437, 437],
  newfstatat: [262, 79],
  getdents64: [217, 61],
  renameat2: [316, 276],
  unlinkat: [263, 35],
  mmap: [9, 222],
  futex: [202, 98],
  kill: [62, 129],
  connect: [42, 203],
  execve: [59, 221],
  execveat: [322, 281],
  socket: [41, 198],
  socketpair: [53, 199],
  clone: [56, 220],
  fork: [57, undefined],
  vfork: [58, undefined],
  clone3: [435, 435],
  ioctl: [16, 29],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_getfd: [438, 438],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  unshare: [272, 97],
  setns: [308, 268],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  userfaultfd: [323, 282],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  move_mount: [429, 429],
  open_tree: [428, 428],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  chmod: [90, undefined],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  chown: [92, undefined],
  fchown: [93, 55],
  lchown: [94, undefined],
  fchownat: [260, 54],
  utime: [132, undefined],
  utimes: [235, undefined],
  futimesat: [261, undefined],
  utimensat: [280, 88],
  mknod: [133, undefined],
  mknodat: [259, 33],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  setxattrat: [463, 463],
  removexattrat: [466, 466],
}

const ALLOWED = [
  'read',
  'openat',
  'openat2',
  'newfstatat',
  'getdents64',
  'renameat2',
  'unlinkat',
  'mmap',
  'futex',
  'kill',
  'connect',
  'execve',
  'execveat',
  'socketpair',
  'fork',
  'vfork',
]
const NO_SUCH_CALL = ['clone3', 'io_uring_setup', 'io_uring_enter', 'io_uring_register']
const METADATA = [
  'chmod',
  'fchmod',
  'fchmodat',
  'fchmodat2',
  'chown',
  'fchown',
  'lchown',
  'fchownat',
  'utime',
  'utimes',
  'futimesat',
  'utimensat',
  'mknod',
  'mknodat',
  'setxattr',
  'lsetxattr',
  'fsetxattr',
  'removexattr',
  'lremovexattr',
  'fremovexattr',
  'setxattrat',
  'removexattrat',
]
const BY_ARGUMENTS = ['socket', 'clone', 'ioctl']
const NEVER = Object.keys(NUMBERS).filter(
  (name) => ![...ALLOWED, ...NO_SUCH_CALL, ...METADATA, ...BY_ARGUMENTS].includes(name),
)

function number(name: string, processor: Processor): number | undefined {
  return NUMBERS[name]?.[processor === 'x64' ? 0 : 1]
}

/** The answer to each of the calls that the processor has. */
function answers(program: Program, processor: Processor, names: string[]): Record<string, string | number> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const call = number(name, processor)
      return call === undefined ? [] : [[name, answer(program, processor, { number: call })]]
    }),
  )
}

const all = (names: string[], processor: Processor, value: string | number) =>
  Object.fromEntries(
    names.filter((name) => number(name, processor) !== undefined).map((name) => [name, value]),
  )

const NOTHING = { metadata: false, internet: false, unixSockets: false, netlink: false }
const EVERYTHING = { metadata: true, internet: true, unixSockets: true, netlink: false }

for (const processor of ['x64', 'arm64'] as const) {
  test(`buildFilter() for ${processor} allows ordinary calls and never those that lead out of the jail`, () => {
    for (const rules of [NOTHING, EVERYTHING]) {
      const program = buildFilter(rules, processor)
      expect(answers(program, processor, ALLOWED)).toEqual(all(ALLOWED, processor, 'allow'))
      expect(answers(program, processor, NEVER)).toEqual(all(NEVER, processor, EPERM))
      expect(answers(program, processor, NO_SUCH_CALL)).toEqual(all(NO_SUCH_CALL, processor, ENOSYS))
    }
  })

  test(`buildFilter() for ${processor} lets metadata be changed only where that is asked for`, () => {
    const check = buildFilter(NOTHING, processor)
    expect(answers(check, processor, METADATA)).toEqual(all(METADATA, processor, EPERM))
    const apply = buildFilter({ ...NOTHING, metadata: true }, processor)
    expect(answers(apply, processor, METADATA)).toEqual(all(METADATA, processor, 'allow'))
  })

  test(`buildFilter() for ${processor} lets a check set no file flags by ioctl`, () => {
    const ioctl = number('ioctl', processor) ?? 0
    const [TCGETS, SETFLAGS, FSSETXATTR] = [0x5401, 0x40086602, 0x401c5820]
    const ask = (metadata: boolean, request: number) =>
      answer(buildFilter({ ...NOTHING, metadata }, processor), processor, {
        number: ioctl,
        arguments: [3, request],
      })
    expect([TCGETS, SETFLAGS, FSSETXATTR].map((request) => ask(false, request))).toEqual([
      'allow',
      EPERM,
      EPERM,
    ])
    expect([TCGETS, SETFLAGS, FSSETXATTR].map((request) => ask(true, request))).toEqual([
      'allow',
      'allow',
      'allow',
    ])
  })

  test(`buildFilter() for ${processor} opens sockets of the families that the job declares`, () => {
    const socket = number('socket', processor) ?? 0
    const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, vsock: 40, alg: 38 }
    const ask = (rules: typeof NOTHING) =>
      Object.entries(families)
        .filter(
          ([, family]) =>
            answer(buildFilter(rules, processor), processor, { number: socket, arguments: [family, 1] }) ===
            'allow',
        )
        .map(([name]) => name)
    expect(ask(NOTHING)).toEqual([])
    expect(ask({ ...NOTHING, internet: true })).toEqual(['inet', 'inet6', 'netlink'])
    expect(ask({ ...NOTHING, unixSockets: true })).toEqual(['unix'])
    expect(ask({ ...NOTHING, netlink: true })).toEqual(['netlink'])
    expect(ask(EVERYTHING)).toEqual(['unix', 'inet', 'inet6', 'netlink'])
    const refused = answer(buildFilter(NOTHING, processor), processor, { number: socket, arguments: [2, 1] })
    expect(refused).toBe(EACCES)
  })

  test(`buildFilter() for ${processor} lets threads and children be made, but no namespaces`, () => {
    const clone = number('clone', processor) ?? 0
    const ask = (flags: number) =>
      answer(buildFilter(NOTHING, processor), processor, { number: clone, arguments: [flags] })
    const [THREAD, VFORK_AND_SIGCHLD] = [0x3d0f00, 0x4111]
    expect([ask(THREAD), ask(VFORK_AND_SIGCHLD)]).toEqual(['allow', 'allow'])
    const namespaces = {
      mount: 0x20000,
      cgroup: 0x2000000,
      uts: 0x4000000,
      ipc: 0x8000000,
      user: 0x10000000,
      pid: 0x20000000,
      net: 0x40000000,
    }
    for (const [name, flag] of Object.entries(namespaces))
      expect([name, ask(flag | 17)]).toEqual([name, EPERM])
  })

  test(`buildFilter() for ${processor} kills what calls by the table of another processor`, () => {
    for (const program of [buildFilter(EVERYTHING, processor), buildExecutionFilter(processor)]) {
      for (const audit of [0x40000003, 0x40000028, AUDIT[processor === 'x64' ? 'arm64' : 'x64']]) {
        expect(answer(program, processor, { number: 0, audit })).toBe('kill')
      }
    }
  })

  test(`buildExecutionFilter() for ${processor} refuses to execute anything, and nothing else`, () => {
    const program = buildExecutionFilter(processor)
    expect(answers(program, processor, ['execve', 'execveat'])).toEqual({ execve: EACCES, execveat: EACCES })
    const others = Object.keys(NUMBERS).filter((name) => !name.startsWith('execve'))
    expect(answers(program, processor, others)).toEqual(all(others, processor, 'allow'))
  })
}

test('buildFilter() knows no x32 calls, by which the filter could be gone round', () => {
  expect(answer(buildFilter(EVERYTHING, 'x64'), 'x64', { number: 0x40000000 | 101 })).toBe(ENOSYS)
})

const HEADERS = {
  x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  arm64: '/usr/include/asm-generic/unistd.h',
}
const missing = Object.values(HEADERS).filter((path) => !existsSync(path))
testWith({ reason: missing.length > 0 ? `no ${missing.join(', ')}` : undefined })(
  'the numbers of this test are those of the headers of the kernel',
  () => {
    for (const processor of ['x64', 'arm64'] as const) {
      const text = readFileSync(HEADERS[processor], 'utf8')
      const numbers = new Map(
        [...text.matchAll(/^#define __NR3?264_(\w+)\s+(\d+)|^#define __NR_(\w+)\s+(\d+)/gm)].map((match) => [
          match[1] ?? match[3],
          Number(match[2] ?? match[4]),
        ]),
      )
      expect(numbers.size).toBeGreaterThan(250)
      for (const name of Object.keys(NUMBERS)) {
        const known = numbers.get(name)
        // Headers older than a call do not have it.
        if (known !== undefined)
          expect([processor, name, number(name, processor)]).toEqual([processor, name, known])
      }
    }
  },
)
