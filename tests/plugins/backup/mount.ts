import { rmSync } from 'node:fs'
import { temporaryDirectory } from '../../kit/plugin.ts'

/** Mounts an empty file system in memory; to be unmounted by the caller. */
export function mountTmpfs(directory: string, size = '1m'): void {
  const options = `size=${size},mode=0700`
  const result = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', options, 'reeve-test', directory])
  if (result.exitCode !== 0) throw new Error(`mount: ${result.stderr.toString()}`)
}

export function unmount(directory: string): void {
  Bun.spawnSync(['umount', directory])
}

/** Why nothing can be mounted here; undefined where it can. */
export function whyNoMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  const { path } = temporaryDirectory('reeve-mount')
  try {
    mountTmpfs(path)
    unmount(path)
    return undefined
  } catch {
    return 'cannot mount a file system here'
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}
