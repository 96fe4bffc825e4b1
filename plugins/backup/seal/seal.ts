import { describeError } from '../../../agent/contract/mod.ts'
import type { Destination, DestinationReader } from '../destination/destination.ts'
import { sealName } from '../object-name.ts'
import type { BackupRecord } from '../records.ts'

// Beside each backup stands a signed text: which object it is, and which one comes before. It binds name and bytes, so
// that a forged object is noticed, and an old one under a new name. `gpg -d FILE | sha256sum -c` checks it by hand.

/** What a seal says. */
export interface Seal {
  job: string
  host: string
  createdAt: string
  /** Name of the full backup of the chain, and place among the changes. */
  full: string
  index: number
  /** The backup that this one builds upon. */
  previous: { name: string; sha256: string } | null
  name: string
  bytes: number
  sha256: string
}

const TITLE = '# reeve backup seal 1'
const MAX_BYTES = 65_536
const LINES =
  /^# job: (.+)\n# host: (.*)\n# created: (\S+)\n# chain: (\S+) (\d+)\n# after: (?:(\S+) ([0-9a-f]{64})|nothing)\n# bytes: (\d+)\n([0-9a-f]{64}) {2}(\S+)$/

export function formatSeal(seal: Seal): string {
  const { job, host, createdAt, full, index, previous, name, bytes, sha256 } = seal
  return [
    TITLE,
    `# job: ${job}`,
    `# host: ${host}`,
    `# created: ${createdAt}`,
    `# chain: ${full} ${index}`,
    `# after: ${previous ? `${previous.name} ${previous.sha256}` : 'nothing'}`,
    `# bytes: ${bytes}`,
    `${sha256}  ${name}`,
  ].join('\n')
}

export function parseSeal(text: string): Seal {
  const lines = text.replaceAll('\r\n', '\n').trimEnd()
  const match = lines.startsWith(`${TITLE}\n`) ? LINES.exec(lines.slice(TITLE.length + 1)) : null
  if (!match) throw new Error('it is no seal of a backup')
  const [, job = '', host = '', createdAt = '', full = '', index, after, afterSha256, bytes] = match
  return {
    job,
    host,
    createdAt,
    full,
    index: Number(index),
    previous: after === undefined ? null : { name: after, sha256: afterSha256 ?? '' },
    bytes: Number(bytes),
    sha256: match[9] ?? '',
    name: match[10] ?? '',
  }
}

/** What a seal says, when one of the keys has signed it. Throws with the reason otherwise. `keys` is armoured. */
export async function openSeal(armored: string, keys: string): Promise<Seal> {
  const { readCleartextMessage, readKeys, verify } = await import('openpgp')
  const message = await readCleartextMessage({ cleartextMessage: armored })
  // Those of the time of signing count: a seal stays good when its key has expired meanwhile.
  const verificationKeys = await readKeys({ armoredKeys: keys })
  const { data, signatures } = await verify({ message, verificationKeys, date: null })
  const results = await Promise.allSettled(signatures.map(({ verified }) => verified))
  const [first] = results
  if (!first) throw new Error('it has no signature')
  if (results.some(({ status }) => status === 'fulfilled')) return parseSeal(data)
  throw new Error(
    `its signature is not of the key of the host: ${first.status === 'rejected' ? describeError(first.reason) : ''}`,
  )
}

/** The seal of a backup as it is stored; undefined when there is none. */
export async function readSeal(reader: DestinationReader, backup: string): Promise<string | undefined> {
  const name = sealName(backup)
  const found = await reader.stat(name)
  if (!found) return undefined
  if (found.bytes > MAX_BYTES) throw new Error(`"${name}" is too large for a seal`)
  const chunks: Buffer[] = []
  for await (const chunk of reader.read(name)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

/** Puts the seal of a backup beside it, unless it is there. */
export async function putSeal(destination: Destination, { name, seal }: BackupRecord): Promise<void> {
  if (seal === null) return
  const found = await readSeal(destination, name)
  if (found === seal) return
  if (found !== undefined) await destination.remove(sealName(name))
  const sink = await destination.create(sealName(name))
  try {
    await sink.write(Buffer.from(seal, 'utf8'))
    await sink.commit()
  } finally {
    await sink.abort()
  }
}

/** Removes a backup: its seal first, so that none is left alone. */
export async function removeBackup(destination: Destination, backup: string): Promise<void> {
  if (await destination.stat(sealName(backup))) await destination.remove(sealName(backup))
  await destination.remove(backup)
}
