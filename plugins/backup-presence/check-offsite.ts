import { describeError, type HostReader } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import { type BackupFile, judgeOffsite } from './judge.ts'
import { found, keyOf, type Work } from './work.ts'

/** The copies elsewhere. */
export async function checkOffsite(
  work: Work,
  backup: BackupConfig,
  newest: BackupFile | undefined,
): Promise<void> {
  const { ctx, findings } = work
  const { offsite } = backup
  if (!offsite) return
  const rules = ['offsite-missing', 'offsite-old', 'offsite-differs', 'offsite-same-disk']
  const copies = found(work, offsite.files, rules)
  if (!copies) return
  work.examined += copies.length
  const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1)
  const same = newest && copies.find(({ path }) => baseName(path) === baseName(newest.path))
  let isSame: boolean | undefined
  if (offsite.compare === 'content' && same && newest && same.bytes === newest.bytes) {
    try {
      isSame = (await digestOf(work, same)) === (await digestOf(work, newest))
    } catch (error) {
      ctx.signal.throwIfAborted()
      work.blind.push({ subject: same.path, reason: describeError(error), rules: ['offsite-differs'] })
    }
  }
  findings.push(...judgeOffsite(backup, newest, { copies, same, isSame }, ctx.now.getTime()))
}

/** Read once for as long as nobody writes to it. */
async function digestOf({ ctx: { host, signal }, before, after }: Work, file: BackupFile): Promise<string> {
  const key = keyOf(file, [])
  const known = before.digests[key]
  const digest = known ?? (await readDigest(host, file.path, signal))
  after.digests[key] = digest
  return digest
}

async function readDigest(host: HostReader, path: string, signal: AbortSignal): Promise<string> {
  const state = await host.examine(path, [])
  if (!state) throw new Error(`Cannot read "${path}": it is gone`)
  const [details] = await host.readDetails([{ ...state, wanted: ['sha256'] }], signal)
  if (details instanceof Error) throw details
  if (!details?.sha256) throw new Error(`Cannot read "${path}": it has no digest`)
  return details.sha256
}
