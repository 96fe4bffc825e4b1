import { mkdirSync } from 'node:fs'
import { temporaryDirectory } from '../kit/plugin.ts'

/** A file system of its own with little room; undefined where this process may not mount one. */
export function smallFileSystem(path: string, options: string): Disposable | undefined {
  mkdirSync(path, { recursive: true })
  const mounted = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', path]).exitCode === 0
  return mounted ? { [Symbol.dispose]: () => void Bun.spawnSync(['umount', '-l', path]) } : undefined
}

export const canMount = (() => {
  if (process.geteuid?.() !== 0) return false
  using directory = temporaryDirectory()
  using mounted = smallFileSystem(`${directory.path}/probe`, 'size=64k')
  return mounted !== undefined
})()
