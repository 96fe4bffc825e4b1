import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { temporaryDirectory } from './plugin.ts'

/** What stands at a path: text, bytes, a link ("-> TARGET" as `{ link }`), or a directory. */
export type TreeFile =
  | string
  | Uint8Array
  | { link: string }
  | { directory: true; mode?: number }
  | { text: string | Uint8Array; mode?: number; mtimeMs?: number }

/** The files of a host below a directory of their own, to be judged with that as its root. */
export class HostTree implements Disposable {
  private readonly directory = temporaryDirectory('reeve-tree')
  readonly path = this.directory.path

  constructor(private readonly files: Record<string, TreeFile> = {}) {
    for (const [path, file] of Object.entries(files)) this.put(path, file)
  }

  put(path: string, file: TreeFile): string {
    const real = join(this.path, path)
    mkdirSync(dirname(real), { recursive: true })
    if (typeof file === 'string' || file instanceof Uint8Array) writeFileSync(real, file)
    else if ('link' in file) symlinkSync(file.link, real)
    else if ('directory' in file) {
      mkdirSync(real, { recursive: true })
      if (file.mode !== undefined) chmodSync(real, file.mode)
    } else {
      writeFileSync(real, file.text)
      if (file.mode !== undefined) chmodSync(real, file.mode)
      if (file.mtimeMs !== undefined) utimesSync(real, file.mtimeMs / 1000, file.mtimeMs / 1000)
    }
    return real
  }

  /** Puts these files and takes others away, until the answer is disposed of. Directories that it made stay. */
  changed(files: Record<string, TreeFile>, without: string[] = []): Disposable {
    const paths = [...Object.keys(files), ...without]
    const clear = () => {
      for (const path of paths) rmSync(join(this.path, path), { recursive: true, force: true })
    }
    clear()
    for (const [path, file] of Object.entries(files)) this.put(path, file)
    return {
      [Symbol.dispose]: () => {
        clear()
        for (const [path, file] of Object.entries(this.files)) {
          if (paths.some((gone) => path === gone || path.startsWith(`${gone}/`))) this.put(path, file)
        }
      },
    }
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
  }
}
