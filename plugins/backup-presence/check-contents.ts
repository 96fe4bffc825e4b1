import {
  type CheckContext,
  describeError,
  type Finding,
  formatBytes,
  globMatcher,
} from '../../agent/contract/mod.ts'
import type { BackupConfig, Config } from './config.ts'
import { type Contents, listArchive } from './contents.ts'
import type { Format } from './format.ts'
import { type BackupFile, isPart, judgeParts, judgeSecrets, missingParts } from './judge.ts'
import { keyOf, type Memory, type Work } from './work.ts'

const MAX_LIST_BYTES = 64 * 1024 * 1024

/** What is in the newest: secrets where it is not encrypted, and what must be in it. */
export async function checkContents(
  work: Work,
  backup: BackupConfig,
  file: BackupFile,
  format: Format,
): Promise<void> {
  const { ctx, findings, blind, before, after } = work
  const { path } = file
  const { name, holds } = backup
  const dark = (reason: string, rules: string[]) => blind.push({ subject: path, reason, rules })
  if (format.kind === 'encrypted') {
    if (holds.length > 0) findings.push(...judgeListed(work, backup, file))
    return
  }
  if (format.kind !== 'plain') {
    if (holds.length > 0) dark('what is in it cannot be told', ['backup-incomplete'])
    return
  }
  if (format.packing === undefined) {
    // A dump or a table is one thing: there are no files in it.
    if (/archive|image/.test(format.what))
      dark(`${format.what} is not listed`, ['secret-in-backup', 'backup-incomplete'])
    else if (holds.length > 0) findings.push(...judgeParts(name, path, holds))
    return
  }
  const key = keyOf(file, [...holds, ...ctx.config.secrets])
  let contents = before.contents[key]
  if (!contents) {
    try {
      const listed = await look(ctx, path, format.packing, holds)
      if (listed && 'reason' in listed)
        return void dark(listed.reason, [
          'secret-in-backup',
          ...(holds.length > 0 ? ['backup-incomplete'] : []),
        ])
      contents = listed ?? { secrets: [], missing: holds }
    } catch (error) {
      ctx.signal.throwIfAborted()
      return void dark(describeError(error), ['secret-in-backup', 'backup-incomplete'])
    }
  }
  after.contents[key] = contents
  findings.push(...judgeSecrets(name, path, contents.secrets), ...judgeParts(name, path, contents.missing))
}

async function look(
  { host, config, signal }: CheckContext<Config>,
  path: string,
  packing: NonNullable<Extract<Format, { kind: 'plain' }>['packing']>,
  holds: readonly string[],
): Promise<Memory['contents'][string] | { reason: string } | undefined> {
  const isSecret = globMatcher(config.secrets)
  const absolute = (one: string) => `/${one.replace(/^(\.?\/)+/, '')}`
  const isWanted = (one: string) => isSecret(absolute(one)) || holds.some((part) => isPart(part, one))
  const contents: Contents | undefined = await listArchive(host, path, packing, isWanted, {
    maxBytes: config.maxListed,
    signal,
  })
  if (!contents) return undefined
  if (contents.isCut) return { reason: `only its first ${formatBytes(config.maxListed)} are listed` }
  const secrets = contents.names.filter((one) => isSecret(absolute(one)))
  return { secrets: secrets.slice(0, 100), missing: missingParts(holds, contents.names) }
}

/** By the list that lies beside an encrypted backup. */
function judgeListed(
  { ctx: { host }, blind }: Work,
  { name, holds, listSuffix }: BackupConfig,
  file: BackupFile,
): Finding[] {
  const list = `${file.path}${listSuffix}`
  try {
    if (!host.stat(list)) {
      const reason = `it is encrypted, and there is no ${list} that tells what is in it (tar -tf … > FILE${listSuffix})`
      blind.push({ subject: file.path, reason, rules: ['backup-incomplete'] })
      return []
    }
    const names = host.readText(list, { maxBytes: MAX_LIST_BYTES }).split('\n')
    return judgeParts(name, file.path, missingParts(holds, names))
  } catch (error) {
    blind.push({ subject: list, reason: describeError(error), rules: ['backup-incomplete'] })
    return []
  }
}
