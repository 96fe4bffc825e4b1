import { type Blind, type Finding, shellWord } from '../../agent/contract/mod.ts'
import { type Area, type Look, notHere } from './area.ts'
import type { Config } from './config.ts'
import { realPath, textOf } from './host-files.ts'
import { type Mount, parseMounts } from './mount-table.ts'
import { deviceName, deviceStorage, type Storage, storageOf } from './storage.ts'

const REFERENCES = ['NIST-CSF-PR.DS-1', 'CWE-311']

/** The mounts of the host: those of its first process, since reeve's own may differ (PrivateTmp, ProtectHome). */
export function hostMounts({ host }: Pick<Look, 'host'>): Mount[] {
  const text = textOf(host, '/proc/1/mountinfo') ?? textOf(host, '/proc/self/mountinfo')
  if (text === undefined) throw new Error('Cannot read "/proc/1/mountinfo": there is none')
  return parseMounts(text)
}

export const diskEncryption: Area = {
  subject: 'disk encryption',
  rules: ['path-not-encrypted'],
  check(look) {
    const { host, config } = look
    if (config.encrypted.length === 0)
      return notHere(this.rules, 'no path is named whose storage must be encrypted')
    const there = config.encrypted.filter((path) => realPath(host, path) !== undefined)
    if (there.length === 0) return notHere(this.rules, `there is no ${config.encrypted.join(', ')}`)
    const mounts = hostMounts(look)
    const storages = there.map((path) => ({ path, storage: storageOf(host, mounts, path) }))
    return {
      findings: storages.flatMap(({ path, storage }) => judgePath(path, storage)),
      blind: storages.flatMap(({ path, storage }) => darkStorage(path, storage, this.rules)),
      facts: storages.map(({ path, storage }) => ({ kind: 'storage', subject: path, data: { ...storage } })),
      examined: there.length,
    }
  },
}

export const swapEncryption: Area = {
  subject: 'swap space',
  rules: ['swap-not-encrypted'],
  check(look) {
    const { host, config, container } = look
    const wanted = wantedSwap(config)
    if (wanted === 'any') return notHere(this.rules, 'swap may be as it is')
    if (container) return notHere(this.rules, `${container}: its host has the swap space`)
    const text = textOf(host, '/proc/swaps')
    const spaces = text === undefined ? [] : parseSwaps(text)
    if (spaces.length === 0) return notHere(this.rules, 'there is no swap space')
    const mounts = hostMounts(look)
    const storages = spaces.map(({ path, type }) => ({
      path,
      storage:
        type === 'file'
          ? storageOf(host, mounts, path)
          : deviceStorage(host, mounts, deviceName(host, path) ?? path),
    }))
    return {
      findings: storages.flatMap(({ path, storage }) => judgeSwap(path, storage, wanted)),
      blind: storages.flatMap(({ path, storage }) => darkStorage(path, storage, this.rules)),
      examined: spaces.length,
    }
  },
}

/** Pure: what swap space may be. */
export function wantedSwap({
  swap,
  encrypted,
}: Pick<Config, 'swap' | 'encrypted'>): 'any' | 'encrypted' | 'none' {
  return swap ?? (encrypted.length > 0 ? 'encrypted' : 'any')
}

/** Pure: swap spaces as /proc/swaps has them. Throws when it is something else. */
export function parseSwaps(text: string): { path: string; type: string }[] {
  const [heading = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '')
  if (!heading.startsWith('Filename')) throw new Error('Cannot read "/proc/swaps": it does not look like it')
  return lines.map((line) => {
    const [path = '', type = ''] = line.trim().split(/\s+/)
    return {
      path: path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
      type,
    }
  })
}

/** Pure. */
export function judgePath(path: string, { state, what }: Storage): Finding[] {
  if (state !== 'plain') return []
  return [
    {
      rule: 'path-not-encrypted',
      subject: path,
      severity: 'warning',
      summary: `${path} lies on storage that is not encrypted (${what})`,
      remedy: [
        'Move it to an encrypted volume, with DEVICE an empty disk or partition:',
        'cryptsetup luksFormat DEVICE && cryptsetup open DEVICE data && mkfs.ext4 /dev/mapper/data',
        `Stop what uses it, copy it (cp -a), and mount /dev/mapper/data at ${shellWord(path)} by /etc/crypttab and /etc/fstab.`,
        'Where the disk itself or the cloud encrypts, which nobody can see from here: waive this with that as the reason',
      ].join('\n'),
      evidence: { storage: what },
      references: REFERENCES,
    },
  ]
}

/** Pure. */
export function judgeSwap(path: string, { state, what }: Storage, wanted: 'encrypted' | 'none'): Finding[] {
  if (wanted === 'encrypted' && state !== 'plain') return []
  if (wanted === 'none' && state === 'memory') return []
  return [
    {
      rule: 'swap-not-encrypted',
      subject: path,
      severity: 'warning',
      summary:
        wanted === 'none'
          ? `There is swap space: ${path} (${what})`
          : `Swap space ${path} is not encrypted (${what}): what was in memory can be read from the disk`,
      remedy: `swapoff ${shellWord(path)}\nTake its line out of /etc/fstab, too; or have it encrypted with a new key at each start by /etc/crypttab: cryptswap ${shellWord(path)} /dev/urandom swap`,
      evidence: { storage: what },
      references: REFERENCES,
    },
  ]
}

function darkStorage(path: string, { state, what }: Storage, rules: string[]): Blind[] {
  return state === 'unknown' ? [{ subject: path, reason: what, rules }] : []
}
