import type { Finding, HostReader } from '../../agent/contract/mod.ts'
import { type FreeLimit, judgePressure } from './free-limit.ts'
import { mountPoint, type Space } from './space.ts'

/** Under pressure, what is smaller is not worth a rotation. */
export const PRESSED_BYTES = 1_048_576

/** The room that is left, measured once for each file system. */
export class Pressure {
  private readonly mounts = new Map<string, string | undefined>()
  private readonly spaces = new Map<string, Space>()

  constructor(private readonly host: HostReader) {}

  /** Where the file system of a directory is mounted. */
  mountOf(directory: string): string | undefined {
    if (!this.mounts.has(directory)) this.mounts.set(directory, mountPoint(this.host, directory))
    return this.mounts.get(directory)
  }

  /** Why a directory is short of room; undefined when it is not. */
  on(directory: string, limit: FreeLimit | undefined): string | undefined {
    const path = limit && this.mountOf(directory)
    if (path === undefined) return undefined
    let space = this.spaces.get(path)
    if (!space) {
      space = { path, freeBytes: this.host.freeBytes(path), totalBytes: this.host.fileSystemBytes(path) }
      this.spaces.set(path, space)
    }
    return judgePressure(limit, space)
  }

  /** Forgets what was measured: something was removed. */
  measureAnew(): void {
    this.spaces.clear()
  }
}

/** One finding for each file system that is short of room. `canRelieve`: there is something to do about it. */
export function pressureFinding(mount: string, reason: string, canRelieve: boolean): Finding {
  return {
    rule: 'disk-pressure',
    subject: mount,
    severity: canRelieve ? 'warning' : 'critical',
    summary: canRelieve
      ? `${mount} is short of room: ${reason}`
      : `${mount} is short of room, and no rotated log is left that may go: ${reason}`,
    remedy: canRelieve
      ? 'Let the job run in enforce mode: it rotates, compresses, and removes the oldest rotated logs first'
      : `See what takes the room: du -x --max-depth=2 ${mount} | sort -n | tail`,
    fixable: canRelieve,
  }
}
