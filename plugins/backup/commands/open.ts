import { type CommandContext, UserError } from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import type { OpenedMessage } from '../encryption.ts'
import { observe } from '../read.ts'
import type { StoredLayer } from '../restore/restore.ts'
import { textOption } from './arguments.ts'
import { chainOf, choose, type Located, type LocatedBackup } from './locate.ts'
import { sealOf, signerOf } from './signer.ts'
import { openWith, unlockerOf } from './unlock.ts'

export const whichOptions = {
  at: {
    type: 'string',
    means: 'As it was at this time, such as 2026-11-23 or 2026-11-23T12:00Z; else the newest',
  },
  backup: { type: 'string', means: 'Name of the backup, as "reeve backup list" shows it; else the newest' },
} as const

/** A backup that can be read: with all that it builds upon, and what opens it. */
export interface OpenedBackup {
  name: string
  /** The full one first. */
  layers: StoredLayer[]
  unlock(message: OpenedMessage): Promise<Uint8Array>
  /** Whether its host's signature was looked at. */
  isSealed: boolean
}

/** The backup that the arguments are about, with the key or passphrase that they give. */
export async function openBackup(ctx: CommandContext<BackupConfig>, located: Located): Promise<OpenedBackup> {
  const { args } = ctx
  return openChosen(
    ctx,
    located,
    choose(located, textOption(args, 'backup'), timeOption(textOption(args, 'at'))),
  )
}

export async function openChosen(
  ctx: CommandContext<BackupConfig>,
  located: Located,
  chosen: LocatedBackup,
): Promise<OpenedBackup> {
  const chain = chainOf(located, chosen)
  const unlocker = await unlockerOf(ctx)
  if (!unlocker) {
    throw new UserError(
      'Cannot read a backup: give the private key (--key FILE), or where the passphrase is (--passphrase env:NAME)',
    )
  }
  const signer = await signerOf(ctx)
  const layers: StoredLayer[] = []
  for (const { name, reader } of chain) {
    const seal = signer === undefined ? undefined : await sealOf(reader, name, signer)
    const total = (await reader.stat(name).catch(() => undefined))?.bytes ?? 0
    const note = (bytes: number) => ctx.progress(bytes, total, 'reading', { unit: 'bytes' })
    layers.push({ name, stored: () => observe(reader.read(name), note), sha256: seal?.sha256 })
  }
  const unlock = (message: OpenedMessage) => openWith(unlocker, message)
  return { name: chosen.name, layers, unlock, isSealed: signer !== undefined }
}

/** A point in time: a day is meant to its end, what has no zone is of this host. */
export function timeOption(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text)
  const time = new Date(isDay ? `${text}T23:59:59.999` : text)
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(time.getTime())) return time
  throw new UserError(`Cannot use --at "${text}": wanted a time such as 2026-11-23 or 2026-11-23T12:00Z`)
}
