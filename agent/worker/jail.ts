import { closeSync, constants, openSync, readFileSync, readSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Permissions } from '../contract/permissions.ts'
import { globEntries } from '../host/glob.ts'
import { architecture, NUMBERS, processControl, systemCall } from '../host/libc.ts'
import { SURVEYS, surveyProcesses } from '../host/process-survey.ts'
import { findWriters } from '../host/writers.ts'
import { globBase, isGlob, isNormalPath } from '../lib/path.ts'
import { capabilitySet, keepCapabilities } from './capabilities.ts'
import { adoptOrphans } from './descendants.ts'
import { followLinks } from './follow-links.ts'
import { type LandlockRules, landlockAbi, restrictSelf } from './landlock.ts'
import type { JailRequest } from './protocol.ts'
import { buildExecutionFilter, buildFilter, installFilter } from './seccomp.ts'
import { PROCESSES_VARIABLE, selfCommand, WRITERS_VARIABLE } from './self.ts'

const PR_SET_PDEATHSIG = 1
const PR_SET_NO_NEW_PRIVS = 38
const SIGKILL = 9
const RLIMIT_CORE = 4
const NICENESS = 10
const IOPRIO_BEST_EFFORT_LOWEST = (2 << 13) | 7

/**
 * Gives up, for this process and all that it will execute, everything that the request does not list.
 * Only the calling thread is bound: the caller must execve at once. Returns what is in force, such as
 * "landlock-7+seccomp", or "off". Throws when `always` is asked for and the kernel cannot.
 */
export function enterJail(request: JailRequest): string {
  processControl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  if (process.ppid !== request.parent)
    throw new Error('Cannot start: reeve, which asked for this run, is gone')
  adoptOrphans()
  lookUpWriters(request.permissions.writers ?? [])
  lookUpProcesses(request.permissions.processes ?? [])
  const numbers = NUMBERS[architecture()]
  systemCall(numbers.prlimit64, 0, RLIMIT_CORE, new BigUint64Array([0n, 0n]), 0)
  systemCall(numbers.setpriority, 0, 0, NICENESS)
  systemCall(numbers.ioprio_set, 1, 0, IOPRIO_BEST_EFFORT_LOWEST)
  if (request.sandbox === 'off') return 'off'

  const abi = landlockAbi()
  if (abi === 0 && request.sandbox === 'always') {
    throw new Error(
      'Cannot build the jail: this kernel has no Landlock (5.13 or newer with "landlock" in its list of security ' +
        'modules), or a filter forbids its calls. With "sandbox: auto" the job runs without it',
    )
  }
  check('set no_new_privs', processControl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
  keepCapabilities(capabilitySet(request.permissions.capabilities ?? []))
  if (abi > 0) restrictSelf(landlockRules(request), abi)
  const net = request.permissions.net ?? []
  const filter = {
    metadata: request.mayChange,
    internet: net.some((entry) => !isUnixSocket(entry) && entry !== 'netlink'),
    netlink: net.includes('netlink'),
    unixSockets: net.some(isUnixSocket),
  }
  installFilter(buildFilter(filter, architecture()))
  return abi > 0 ? `landlock-${abi}+seccomp` : 'seccomp'
}

/** What is to be seen only now is handed on to the worker that this process becomes. */
function lookUpWriters(directories: string[]): void {
  delete process.env[WRITERS_VARIABLE]
  if (directories.length === 0) return
  const writers = findWriters(directories)
  if (writers) process.env[WRITERS_VARIABLE] = JSON.stringify(writers)
}

function lookUpProcesses(wanted: string[]): void {
  delete process.env[PROCESSES_VARIABLE]
  const known = SURVEYS.filter((survey) => wanted.includes(survey))
  if (known.length > 0) process.env[PROCESSES_VARIABLE] = JSON.stringify(surveyProcesses(known))
}

/** Takes away, from every thread of this worker, the right to execute anything: its own binary was the last. */
export function forbidExecution(): void {
  installFilter(buildExecutionFilter(architecture()))
}

function check(what: string, result: number): void {
  if (result < 0) throw new Error(`Cannot ${what}: errno ${-result}`)
}

/** The permissions as paths of this host: patterns expanded, and what the runtime itself needs to live. */
function landlockRules(request: JailRequest): LandlockRules {
  const { permissions, root } = request
  const real = (path: string) => (root === '/' ? path : `${root}${path === '/' ? '' : path}`)
  const expand = (patterns: string[] = []) => patterns.flatMap((pattern) => grantedPaths(pattern, request))
  const programs = (permissions.run ?? []).map(([program]) => program)
  const net = permissions.net ?? []
  return {
    list: [...expand(permissions.list), ...expand(bases(permissions))],
    read: [
      ...expand(permissions.read),
      ...RUNTIME_FILES,
      ...mappedLibraries(),
      ...sourceFiles(),
      ...(request.pluginFile ? [request.pluginFile] : []),
      ...(programs.length > 0 ? PROGRAM_FILES : []),
      ...(net.length > 0 ? NETWORK_FILES : []),
      real('/etc/passwd'),
      real('/etc/group'),
    ],
    execute: [process.execPath, ...interpreters(), ...programs, ...programs.flatMap(scriptInterpreter)],
    write: [...expand(permissions.write), real(request.stateDir), '/dev/null'],
    connectPorts: net.flatMap(portOf),
    signals: (permissions.capabilities ?? []).includes('CAP_KILL'),
  }
}

/**
 * What a granted pattern stands for now, without links: whoever can make a link in a granted directory must
 * not be able to widen the grant. Links of root and of reeve's own user are followed; on a path of an external
 * plugin none is, since such a plugin may have made it.
 */
function grantedPaths(pattern: string, { root, pluginFile }: JailRequest): string[] {
  const trusts = (uid: number) => pluginFile === null && (uid === 0 || uid === process.geteuid?.())
  return expandPattern(root, pattern).flatMap((path) => {
    if (!isNormalPath(path)) {
      throw new Error(`Cannot grant "${path}": it is no absolute path, or one with "." or ".."`)
    }
    const place = followLinks(root === '/' ? path : `${root}${path}`, trusts)
    if (place !== undefined) return [place]
    if (pluginFile === null || isGlob(pattern)) return []
    throw new Error(`Cannot grant "${path}" to an external plugin: there is a symbolic link in it`)
  })
}

/** What any process of this runtime reads while it lives. */
const RUNTIME_FILES = [
  '/proc/self',
  '/proc/meminfo',
  '/proc/sys/vm/overcommit_memory',
  '/dev/urandom',
  '/dev/random',
  '/dev/null',
  '/dev/zero',
  '/etc/ld.so.cache',
  '/etc/localtime',
  '/usr/share/zoneinfo',
]
/** What a program of the host needs to start. */
const PROGRAM_FILES = ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/usr/share/locale', '/etc/nsswitch.conf']
const NETWORK_FILES = [
  '/etc/resolv.conf',
  '/etc/hosts',
  '/etc/nsswitch.conf',
  '/etc/gai.conf',
  '/etc/ssl',
  '/usr/share/ca-certificates',
]

/** A path, or what a pattern matches now. */
export function expandPattern(root: string, pattern: string): string[] {
  return isGlob(pattern) ? globEntries(root, pattern, () => {}).map((entry) => entry.path) : [pattern]
}

/** Where patterns begin: their names may be listed, so that the worker can expand them again. */
function bases(permissions: Permissions): string[] {
  const patterns = [...(permissions.list ?? []), ...(permissions.read ?? []), ...(permissions.write ?? [])]
  return [...new Set(patterns.filter(isGlob).map(globBase))]
}

/** Run from its source text, this program is many files. */
function sourceFiles(): string[] {
  const [, main] = selfCommand()
  return main ? [dirname(dirname(main))] : []
}

/** Shared libraries of this very process. */
function mappedLibraries(): string[] {
  const maps = readFileSync('/proc/self/maps', 'utf8')
  return [...new Set([...maps.matchAll(/ (\/\S+\.so[.\d]*)$/gm)].map((match) => match[1] as string))]
}

/** The dynamic loaders: the kernel executes them for every program that is not static. */
function interpreters(): string[] {
  const known = [
    '/lib64/ld-linux-x86-64.so.2',
    '/lib/ld-linux-aarch64.so.1',
    '/lib/ld-musl-x86_64.so.1',
    '/lib/ld-musl-aarch64.so.1',
  ]
  return known.flatMap((path) => {
    try {
      return [realpathSync(path)]
    } catch {
      return [] // of another architecture
    }
  })
}

/** What the first line of a script names: whoever may run the script may run this. */
function scriptInterpreter(program: string): string[] {
  let start: string
  try {
    start = firstBytes(program, 256)
  } catch {
    return [] // missing or unreadable: running it will say so
  }
  const [interpreter, argument] = /^#!\s*(\S+)(?:[ \t]+(\S+))?/.exec(start)?.slice(1) ?? []
  if (!interpreter) return []
  if (!interpreter.endsWith('/env') || !argument) return [interpreter]
  return [interpreter, ...PROGRAM_PATH.map((directory) => `${directory}/${argument}`)]
}

const PROGRAM_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

function firstBytes(path: string, length: number): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const buffer = Buffer.alloc(length)
    return buffer.subarray(0, readSync(descriptor, buffer, 0, length, 0)).toString('latin1')
  } finally {
    closeSync(descriptor)
  }
}

/** The kernel does not tell one from another; the host layer does, and what may be said there. */
function isUnixSocket(entry: string): boolean {
  return entry.startsWith('unix:') || entry.startsWith('unix-get:')
}

function portOf(entry: string): number[] {
  if (isUnixSocket(entry) || entry === 'netlink') return []
  const port = Number(entry.slice(entry.lastIndexOf(':') + 1))
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`Cannot grant "${entry}": wanted "host:port", "unix:/path" or "netlink"`)
  }
  return [port]
}
