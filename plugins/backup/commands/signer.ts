import {
  type CommandArgs,
  type CommandContext,
  describeError,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import type { DestinationReader } from '../destination/destination.ts'
import { HostKey } from '../seal/host-key.ts'
import { openSeal, readSeal, type Seal } from '../seal/seal.ts'
import { textOption } from './arguments.ts'

const KEY_MAX_BYTES = 1_048_576

export const signerOptions = {
  signer: {
    type: 'string',
    means: 'File with the public key that the backups are signed with, armoured; without it that of the job',
  },
} as const

export function signerPaths(args: CommandArgs): string[] {
  return [textOption(args, 'signer') ?? []].flat()
}

/** The armoured public key of who has to have signed; undefined on a machine that has none. */
export async function signerOf(ctx: CommandContext<BackupConfig>): Promise<string | undefined> {
  const file = textOption(ctx.args, 'signer')
  if (file !== undefined) return ctx.host.readText(file, { maxBytes: KEY_MAX_BYTES, follow: true })
  // Backups from elsewhere may be those of another host.
  if (!ctx.config || textOption(ctx.args, 'from') !== undefined) return undefined
  return (await HostKey.load(ctx.state, ctx.stateDir))?.publicKey()
}

/** What the seal of a backup says. Throws when it has none, or one that is not good. */
export async function sealOf(reader: DestinationReader, name: string, signer: string): Promise<Seal> {
  const text = await readSeal(reader, name)
  if (text === undefined)
    throw new UserError(`Cannot trust "${name}": it has no seal beside it, so it may be forged`)
  const seal = await openSeal(text, signer).catch((cause) => {
    throw new UserError(`Cannot trust "${name}": ${describeError(cause)}`, { cause })
  })
  if (seal.name !== name) throw new UserError(`Cannot trust "${name}": its seal is that of "${seal.name}"`)
  return seal
}
