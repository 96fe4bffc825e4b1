import { spawn, spawnSync } from 'node:child_process'
import { closeSync, readSync } from 'node:fs'
import { architecture, systemCall } from '../../../agent/host/libc.ts'
import { systemError } from './acl.ts'
import { describe } from './describe.ts'
import { cleanEnvironment } from './environment.ts'
import { asCaller, idsForChild } from './identity.ts'
import { openLog } from './open-log.ts'
import type { LogRotation } from './rotation.ts'
import { startable } from './run-program.ts'

/** Sends an old log, uncompressed, as `COMMAND -s SUBJECT ADDRESS` with the log on its input. False: an error was told. */
export function mailLog(path: string, rotation: LogRotation): boolean {
  const { set, files, output, mailCommand, dryRun } = rotation
  const { settings } = set
  if (dryRun) return true
  const isDelayed = settings.mailFirst && settings.delayCompress
  const uncompress = settings.compress && !isDelayed ? settings.uncompressCommand : undefined
  const subject = settings.mailFirst && uncompress !== undefined ? rotation.path : path
  let descriptor: number
  try {
    descriptor = openLog(files, path, settings, 'read')
  } catch (error) {
    output.error(`failed to open ${path} for mailing: ${describe(error)}`)
    return false
  }
  try {
    return send(path, descriptor, mailCommand, ['-s', subject, settings.mail ?? ''], uncompress, rotation)
  } finally {
    closeSync(descriptor)
  }
}

function send(
  path: string,
  descriptor: number,
  command: string,
  args: string[],
  uncompress: string | undefined,
  { output }: LogRotation,
): boolean {
  const unpacking =
    uncompress === undefined ? undefined : startUncompressing(uncompress, descriptor, output.debug)
  const [file, words] = startable(command, args)
  // A mailer's answers go nowhere, as logrotate closes its output.
  const mail = () =>
    spawnSync(file, words, {
      stdio: [unpacking?.output ?? descriptor, 'ignore', output.captures ? 2 : 'inherit'],
      env: cleanEnvironment(process.env),
    })
  const sent = asCaller(mail, output.debug)
  if (sent.error) output.error(`cannot execute mail command: ${describe(sent.error)}`)
  const isSent = !sent.error && sent.status === 0
  if (!isSent) output.error(`mail command failed for ${path}`)
  const isUnpacked = unpacking?.finish() ?? true
  if (!isUnpacked) output.error(`uncompress command failed mailing ${path}`)
  return isSent && isUnpacked
}

interface Unpacking {
  /** Where the uncompressed log is read from. */
  output: number
  /** Waits for the program; false when it failed. */
  finish(): boolean
}

const ALL_IS_WELL = '0'

/**
 * Streams through a pipe of the kernel, so that a log may be of any size. A shell around the program writes how it
 * ended into a second pipe, which is waited for without an event loop.
 */
function startUncompressing(command: string, descriptor: number, tell: (message: string) => void): Unpacking {
  const [content, ending] = [makePipe(), makePipe()]
  const ids = idsForChild()
  if (ids.uid !== undefined) {
    tell(`switching uid to ${ids.uid} and gid to ${ids.gid} permanently (pid ${process.pid})`)
  }
  const start = () =>
    spawn('/bin/sh', ['-c', '"$1"; echo $? >&3', 'sh', command], {
      stdio: [descriptor, content.write, 'inherit', ending.write],
      env: cleanEnvironment(process.env),
      ...(ids.uid !== undefined && { ...ids, cwd: '/' }),
    })
  const child = ids.uid === undefined ? start() : asCaller(start)
  child.on('error', () => {
    // The missing word in the second pipe tells.
  })
  closeSync(content.write)
  closeSync(ending.write)
  return {
    output: content.read,
    finish: () => {
      closeSync(content.read)
      const said = Buffer.alloc(16)
      const length = readSync(ending.read, said)
      closeSync(ending.read)
      return said.subarray(0, length).toString().trim() === ALL_IS_WELL
    },
  }
}

const PIPE2 = { x64: 293, arm64: 59 } as const
const O_CLOEXEC = 0o2000000

function makePipe(): { read: number; write: number } {
  const ends = new Int32Array(2)
  const result = systemCall(PIPE2[architecture()], ends, O_CLOEXEC)
  if (result < 0) throw systemError(-result)
  const [read = -1, write = -1] = ends
  return { read, write }
}
