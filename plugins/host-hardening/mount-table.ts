/** One line of a mountinfo file (proc_pid_mountinfo(5)). */
export interface Mount {
  /** "major:minor" of the file system; "0:N" where it is no block device. */
  device: string
  path: string
  /** Of this mount: "rw", "nosuid", … */
  flags: string[]
  type: string
  /** What is mounted: a device, a dataset, or a word. */
  source: string
  /** Of the file system. */
  options: string[]
}

/** Pure: the mounts, in the order in which they were made. Throws when there is none. */
export function parseMounts(text: string): Mount[] {
  const mounts = text.split('\n').flatMap((line): Mount[] => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , device, , path, flags] = before.split(' ')
    const [type, source, options] = after.split(' ')
    if (!device || !path || !flags || !type) return []
    return [
      {
        device,
        path: unescaped(path),
        flags: flags.split(','),
        type,
        source: unescaped(source ?? ''),
        options: unescaped(options ?? '').split(','),
      },
    ]
  })
  if (mounts.length === 0) throw new Error('Cannot read the table of mounts: there is none in it')
  return mounts
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** Pure: the mount that a path without links lies on: the deepest one, and of several at one place the last. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined
  for (const mount of mounts) {
    const holds = mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`)
    if (holds && mount.path.length >= (found?.path.length ?? 0)) found = mount
  }
  return found
}
