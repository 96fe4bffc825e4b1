import { hostname } from 'node:os'
import {
  type Command,
  type CommandContext,
  type CommandResult,
  shellWord,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { type DestinationConfig, locationOf } from '../destination/config.ts'
import { BACKUP_SUFFIX, sealName } from '../object-name.ts'
import { loadRecipients, type Recipients } from '../recipients.ts'
import { type BackupRecord, provenAt, Records } from '../records.ts'
import { HostKey } from '../seal/host-key.ts'

export const exportInstructions: Command<BackupConfig> = {
  summary:
    'Write the page that somebody needs who has to restore without this host: keep it with the private key',
  usage: '--job NAME > restore.md',
  options: {},
  job: 'required',
  permissions: (config) => ({
    read: config?.recipients.map(({ file }) => file) ?? [],
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }),
  run,
}

async function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  const { config } = ctx
  if (!config) throw new Error('Cannot write instructions without a job')
  const records = Records.load(ctx.state, ctx.stateDir)
  const page = instructions({
    job: ctx.job,
    host: hostname(),
    now: ctx.now,
    config,
    recipients: await loadRecipients(ctx.host, config, ctx.now),
    records,
    hostKey: await HostKey.load(ctx.state, ctx.stateDir),
  })
  return { exitCode: 0, text: page, json: { markdown: page } }
}

interface Known {
  job: string
  host: string
  now: Date
  config: BackupConfig
  recipients: Recipients
  records: Pick<Records, 'all' | 'chainOf'>
  hostKey: { fingerprint: string; publicKey(): string } | undefined
}

/** The page, in Markdown that is read well as it is. */
export function instructions(known: Known): string {
  const { job, host, now, config } = known
  const chain = newestChain(known)
  return [
    `# How to restore the backups "${job}" of ${host}`,
    `Written ${now.toISOString()} by \`reeve backup export-instructions\`. Keep it with the private key, not on ${host}. It holds no secret.`,
    '## 1. What opens them',
    whatOpens(known),
    '## 2. Where they are',
    ...config.destinations.map((destination) => whereIs(destination)),
    '## 3. Which files you need',
    whichFiles(chain),
    '## 4. Restore with gpg, zstd and tar',
    byHand(known, chain),
    '## 5. Restore with reeve',
    byReeve(known, chain),
    '## 6. See that nothing was forged',
    seal(known, chain),
    '',
  ].join('\n\n')
}

function newestChain({ records, config }: Known): string[] {
  const locations = config.destinations.map(locationOf)
  const isThere = (record: BackupRecord) => locations.some((location) => provenAt(record, location))
  const newest = records.all.findLast(isThere)
  try {
    return newest ? records.chainOf(newest).map(({ name }) => name) : []
  } catch {
    return []
  }
}

function whatOpens({ config, recipients }: Known): string {
  const keys = recipients.usable.map(
    ({ fingerprint, userId }) => `- the private key \`${fingerprint}\` (${userId || 'without a name'})`,
  )
  const refused = recipients.refused.map(
    ({ file, reason }) => `- a key of \`${file}\`, which is not usable now: ${reason}`,
  )
  const passphrase =
    config.passphrase === undefined
      ? []
      : [`- the passphrase that is kept in \`${config.passphrase}\` of the host`]
  return ['Any one of:', ...keys, ...refused, ...passphrase].join('\n')
}

function whereIs(destination: DestinationConfig): string {
  const title = `**${destination.name}**: \`${locationOf(destination)}\``
  if (destination.type === 'directory') {
    const disk = destination.mountUuid
      ? `. The file system has the UUID \`${destination.mountUuid}\`: \`mount UUID=${destination.mountUuid} /mnt\``
      : ''
    return `${title}, a directory of the host, or of a disk in it${disk}`
  }
  if (destination.type === 'sftp') {
    const { host, port, user, directory } = destination
    return [
      `${title}. Anybody whose key is in its authorized_keys gets them:`,
      code(
        `sftp -P ${port} ${shellWord(`${user}@${host}`)}`,
        `sftp> cd ${directory}`,
        'sftp> ls -l',
        'sftp> get NAME',
      ),
    ].join('\n\n')
  }
  const { endpoint, region, bucket, prefix } = destination
  const address = `--endpoint-url ${shellWord(endpoint)} --region ${shellWord(region)}`
  return [
    `${title} at \`${endpoint}\`. With any client for S3 and an access key of that account, such as:`,
    code(
      `aws ${address} s3 ls ${shellWord(`s3://${bucket}/${prefix}`)}`,
      `aws ${address} s3 cp ${shellWord(`s3://${bucket}/${prefix}NAME`)} .`,
    ),
  ].join('\n\n')
}

function whichFiles(chain: string[]): string {
  const rule = `A name ends in \`-full${BACKUP_SUFFIX}\` where it is a full backup, and in \`-incNNN-TIME${BACKUP_SUFFIX}\` where it holds the changes since the one before. What belongs together begins alike. To restore a change, take the full backup and all changes up to that one, in the order of their numbers, which is that of \`ls\`. None may be missing.`
  if (chain.length === 0) return `${rule}\n\nThere was no proven backup when this was written.`
  return [`${rule}`, 'The newest when this was written:', code(...chain)].join('\n\n')
}

function byHand({ config }: Known, chain: string[]): string {
  const names = chain.length > 0 ? chain.map(shellWord) : [`NAME-full${BACKUP_SUFFIX}`]
  const unlock =
    config.recipients.length > 0
      ? code('gpg --import private.asc')
      : 'gpg asks for the passphrase at each file.'
  const loop = [
    'mkdir -m 0700 restored && set -o pipefail',
    `for file in ${names.join(' ')}; do`,
    '  gpg --decrypt "$file" | zstd --decompress |',
    "    tar --extract --incremental --preserve-permissions --numeric-owner --xattrs --xattrs-include='*' --acls --directory restored || break",
    'done',
  ]
  return [
    'On any Linux, as root so that owners are kept, in the directory with the files, in bash:',
    unlock,
    code(...loop),
    'It must come to its end without an error: what gpg could not verify must not be used. `--incremental` has tar remove what was gone by then. The directory `restored/.reeve-manifest` lists every entry with its SHA-256; it can go.',
  ].join('\n\n')
}

function byReeve({ config }: Known, chain: string[]): string {
  const key = config.recipients.length > 0 ? '--key private.asc' : '--passphrase file:/path/of/passphrase'
  const from = (place: string) => `reeve backup restore --from ${place} ${key} --to restored`
  const lines = config.destinations.map((destination) => {
    if (destination.type === 'directory') return from(shellWord(destination.directory))
    if (destination.type === 'sftp') {
      return from(`${shellWord(locationOf(destination))} --identity KEYFILE --known-hosts FILE`)
    }
    const { endpoint, region } = destination
    return from(
      `${shellWord(locationOf(destination))} --endpoint ${shellWord(endpoint)} --region ${shellWord(region)}`,
    )
  })
  const [newest] = chain.slice(-1)
  return [
    'The binary alone does, without a configuration. One of these, by where the files are (a directory of copies works, too):',
    code(...lines),
    `\`--at 2026-11-23\` restores an older state, paths at the end restore a part, \`--dry-run\` only looks${newest ? `, \`--backup ${newest}\` takes that one` : ''}. Nothing that is there is replaced without \`--overwrite\`.`,
  ].join('\n\n')
}

function seal({ hostKey }: Known, chain: string[]): string {
  if (!hostKey)
    return 'There was no key of the host yet when this was written: write this page again after a backup.'
  const file = sealName(chain.at(-1) ?? `NAME${BACKUP_SUFFIX}`)
  return [
    `Each backup has a seal beside it, signed by the key \`${hostKey.fingerprint}\` of the host. Put this into \`host.asc\`:`,
    code(...hostKey.publicKey().trim().split(/\r?\n/)),
    'With reeve, add `--signer host.asc`. By hand:',
    code('gpg --import host.asc', `gpg --decrypt ${shellWord(file)} | sha256sum --check`),
    'gpg must say "Good signature" by that key, and sha256sum "OK".',
  ].join('\n\n')
}

function code(...lines: string[]): string {
  return ['```', ...lines, '```'].join('\n')
}
