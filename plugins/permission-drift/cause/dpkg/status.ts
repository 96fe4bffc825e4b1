import { withoutArchitecture } from './log.ts'

/** A package that dpkg knows. */
export interface InstalledPackage {
  /** Without architecture. */
  name: string
  architecture: string
  version: string
  /** Third word of its status: "installed", "config-files", "half-configured", … */
  state: string
  /** MD5 of the configuration files as the package ships them, by path. */
  conffiles: Map<string, string>
}

/** Packages of dpkg's status file, in the format of deb-control(5). */
export function parseStatus(text: string): InstalledPackage[] {
  return text.split('\n\n').flatMap((stanza): InstalledPackage[] => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? ''
    const name = field('Package')
    if (name === '') return []
    const conffiles = new Map<string, string>()
    const block = /^Conffiles:\n((?: .*(?:\n|$))*)/m.exec(stanza)?.[1] ?? ''
    for (const line of block.split('\n')) {
      const match = /^ (\/.*) ([0-9a-f]{32})(?: obsolete| remove-on-upgrade)*$/.exec(line)
      if (match?.[1] && match[2]) conffiles.set(match[1], match[2])
    }
    return [
      {
        name,
        architecture: field('Architecture'),
        version: field('Version'),
        state: field('Status').split(' ')[2] ?? '',
        conffiles,
      },
    ]
  })
}

/** A path that a package has moved aside. `by` is ":" for one of the administrator. */
export interface Diversion {
  from: string
  to: string
  by: string
}

/** dpkg's file of diversions: three lines each. */
export function parseDiversions(text: string): Diversion[] {
  const lines = text.split('\n')
  const diversions: Diversion[] = []
  for (let index = 0; index + 2 < lines.length; index += 3) {
    const [from = '', to = '', by = ''] = lines.slice(index, index + 3)
    if (from.startsWith('/') && to.startsWith('/')) diversions.push({ from, to, by: withoutArchitecture(by) })
  }
  return diversions
}

/** Owner and mode that the administrator or a package has set over what is shipped, by path. */
export interface Override {
  user: string
  group: string
  mode: number
}

/** dpkg's file of stat overrides: "USER GROUP MODE PATH"; an id is written as "#ID". */
export function parseOverrides(text: string): Map<string, Override> {
  const overrides = new Map<string, Override>()
  for (const line of text.split('\n')) {
    const match = /^#?(\S+) #?(\S+) ([0-7]+) (\/.*)$/.exec(line)
    if (!match?.[4]) continue
    overrides.set(match[4], {
      user: match[1] ?? '',
      group: match[2] ?? '',
      mode: Number.parseInt(match[3] ?? '', 8) & 0o7777,
    })
  }
  return overrides
}

/** A package's .md5sums: "HASH  path", without the leading slash. */
export function parseDigests(text: string): Map<string, string> {
  const digests = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{32}) [ *](.+)$/.exec(line)
    if (match?.[1] && match[2]) digests.set(`/${match[2].replace(/^\.?\//, '')}`, match[1])
  }
  return digests
}
