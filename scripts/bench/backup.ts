// A backup, its proof and its restore against the same by hand, in one run, taking turns, warm cache:
//
//     bun scripts/bench/backup.ts [--tree /usr/share] [--directory DIR] [--rounds 3]
//
// and, where they are installed, against borg, restic and duplicity, full and unchanged (--peers no leaves them out).
//
// By hand is `tar -c | zstd -3 | gpg --compress-algo none -e` to a file that is synced, as a backup's is, and
// `gpg -d | zstd -d | tar -x` and a sync. Peak memory is that of one process: of ours, and of the largest of theirs.
// Ours is compiled as the binary is.
//
// `--memory [--entries 1000000]` measures the memory alone, of a backup with its proof and of its restore: so many small
// files, and one with holes of 20 GB.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ALL_GRANTS } from '../../agent/host/grants.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import { proveBackup, writeBackup } from '../../plugins/backup/create.ts'
import { DirectoryDestination } from '../../plugins/backup/destination/directory.ts'
import { newSessionKey } from '../../plugins/backup/encryption.ts'
import { IndexStore } from '../../plugins/backup/incremental/index-store.ts'
import { judgeKeyFile } from '../../plugins/backup/recipients.ts'
import { restore } from '../../plugins/backup/restore/restore.ts'
import { sourcesSchema } from '../../plugins/backup/source/config.ts'
import { fastest, findProgram, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    tree: { type: 'string', default: '/usr/share' },
    directory: { type: 'string', default: tmpdir() },
    rounds: { type: 'string', default: '3' },
    peers: { type: 'string', default: 'yes' },
    memory: { type: 'boolean', default: false },
    entries: { type: 'string', default: '1000000' },
    // One measured process of ours: "write", "prove" (write and prove), "index" (write, with an index for the next
    // one), "changes" (what changed since "index", proven) or "restore".
    part: { type: 'string' },
    // Where "restore" restores to.
    target: { type: 'string' },
  },
})
/** The default of the plugin. */
const LEVEL = 2
const NAME = 'bench-20260101T000000Z-full.tar.zst.gpg'

if (values.part) await work(values.part, values.directory, values.tree, values.target)
else if (values.memory) await measureMemory(values.directory, Number(values.entries))
else await compare(values.tree, values.directory, Number(values.rounds), values.peers === 'yes')

async function compare(tree: string, directory: string, rounds: number, withPeers: boolean): Promise<void> {
  const base = mkdtempSync(join(directory, 'reeve-bench-'))
  try {
    const binary = await prepare(base)
    await mustEnd(['tar', '-C', '/', '-cf', '/dev/null', '--', tree.slice(1)])
    let restored = 0
    // A new directory for each, and none removed before the end: ext4 is slow to make files where others were removed
    // a moment ago.
    const newTarget = () => {
      const target = join(base, `restored-${restored++}`)
      mkdirSync(target, { mode: 0o700 })
      return target
    }
    const ours = (part: string) => () => {
      const target = part === 'restore' ? newTarget() : base
      return mustEnd([binary, '--part', part, '--directory', base, '--tree', tree, '--target', target])
    }
    const shell = (script: string, target: () => string) => () =>
      mustEnd([
        'sh',
        '-c',
        `cd "$1" && export GNUPGHOME="$1/gnupg" && ${script}`,
        'sh',
        base,
        tree.slice(1),
        target(),
      ])
    const hand = shell(
      'tar -C / -c -- "$2" | zstd -q -3 | gpg --batch --trust-model always --compress-algo none -r bench -e > hand/b && sync hand/b && rm -f hand/old && mv hand/b hand/old',
      () => base,
    )
    const best = { write: await ours('write')(), prove: await ours('prove')(), hand: await hand() }
    for (let round = 1; round < rounds; round++) {
      best.write = faster(best.write, await ours('write')())
      best.hand = faster(best.hand, await hand())
      best.prove = faster(best.prove, await ours('prove')())
    }
    console.log(`${tree}: ${sizes(base)}; fastest of ${rounds}`)
    console.log(formatMeasurement('tar | zstd -3 | gpg', best.hand))
    console.log(formatMeasurement('backup', best.write), against(best.hand, best.write, 1))
    console.log(formatMeasurement('backup and proof', best.prove), against(best.hand, best.prove, 1.8))
    const restoring = {
      byHand: shell('gpg --batch -q -d hand/old | zstd -q -d | tar -x -C "$3" && sync -f "$3"', newTarget),
      ours: ours('restore'),
    }
    const took = { byHand: await restoring.byHand(), ours: await restoring.ours() }
    for (let round = 1; round < rounds; round++) {
      took.byHand = faster(took.byHand, await restoring.byHand())
      took.ours = faster(took.ours, await restoring.ours())
    }
    console.log(formatMeasurement('gpg -d | zstd -d | tar -x', took.byHand))
    console.log(formatMeasurement('restore', took.ours), against(took.byHand, took.ours, 1.2))
    await ours('index')()
    const changes = await fastest(rounds, ours('changes'))
    console.log(formatMeasurement('unchanged, with its proof', changes))
    if (!withPeers) return
    for (const peer of peersOf(base, tree)) {
      if (!findProgram(peer.program)) {
        console.log(`${peer.program}: not installed`)
        continue
      }
      await mustEnd(inShell(base, peer.init))
      const first = await mustEnd(inShell(base, peer.backup('first')))
      console.log(formatMeasurement(`${peer.name}, full`, first), times(first, best.write, peer.wanted))
      if (!peer.hasChanges) continue
      const second = await mustEnd(inShell(base, peer.backup('second')))
      console.log(formatMeasurement(`${peer.name}, unchanged`, second), against(second, changes, 0.25))
    }
  } finally {
    Bun.spawnSync(['gpgconf', '--homedir', join(base, 'gnupg'), '--kill', 'all'])
    Bun.spawnSync(['rm', '-rf', base])
  }
}

/** Directories, a key, and the program to measure; built by another process, whose memory does not count. */
async function prepare(base: string): Promise<string> {
  for (const name of ['gnupg', 'ours', 'hand', 'state', 'peers', 'restored']) {
    mkdirSync(join(base, name), { mode: 0o700 })
  }
  makeKey(base)
  const binary = join(base, 'reeve-bench')
  const build = [
    join(import.meta.dir, '../build.ts'),
    '--program',
    'scripts/bench/backup.ts',
    '--outfile',
    binary,
  ]
  await mustEnd([process.execPath, ...build])
  return binary
}

async function measureMemory(directory: string, entries: number): Promise<void> {
  const base = mkdtempSync(join(directory, 'reeve-bench-'))
  try {
    const binary = await prepare(base)
    // What is kept is left out of what is backed up.
    const tree = `${base}-tree`
    for (let index = 0; index < entries; index++) {
      const below = join(tree, String(Math.floor(index / 1000)))
      if (index % 1000 === 0) mkdirSync(below, { recursive: true })
      writeFileSync(join(below, `file-${index}`), `This is file ${index}.\n`)
    }
    writeFileSync(join(tree, 'holes'), 'x'.repeat(65_536))
    truncateSync(join(tree, 'holes'), 20 * 2 ** 30)
    for (const part of ['prove', 'restore', 'index', 'changes']) {
      const argv = [binary, '--part', part, '--directory', base, '--tree', tree]
      console.log(formatMeasurement(part, await mustEnd(argv)), '(wanted ≤ 200 MB)')
    }
  } finally {
    Bun.spawnSync(['gpgconf', '--homedir', join(base, 'gnupg'), '--kill', 'all'])
    Bun.spawnSync(['rm', '-rf', base, `${base}-tree`])
  }
}

/** Other programs, with the same compression where they have a choice, and encrypted. */
function peersOf(base: string, tree: string) {
  const at = (name: string) => join(base, 'peers', name)
  const borg = `export BORG_BASE_DIR=${at('borg-home')} BORG_PASSPHRASE=bench BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes;`
  const restic = `export RESTIC_PASSWORD=bench RESTIC_CACHE_DIR=${at('restic-cache')};`
  const duplicity = `export PASSPHRASE= HOME=${at('duplicity-home')};`
  return [
    {
      name: 'borg',
      program: '/usr/bin/borg',
      wanted: 2.5,
      hasChanges: true,
      init: `${borg} mkdir -p ${at('borg-home')} && borg init -e repokey ${at('borg')}`,
      backup: (name: string) => `${borg} borg create --compression zstd,3 ${at('borg')}::${name} ${tree}`,
    },
    {
      name: 'restic',
      program: '/usr/bin/restic',
      wanted: 5,
      hasChanges: true,
      init: `${restic} restic init -q -r ${at('restic')}`,
      backup: () => `${restic} restic backup -q -r ${at('restic')} ${tree}`,
    },
    {
      name: 'duplicity',
      program: '/usr/bin/duplicity',
      wanted: 10,
      hasChanges: false,
      init: `mkdir -p ${at('duplicity')} ${at('duplicity-home')}`,
      backup: () =>
        `${duplicity} duplicity full --archive-dir ${at('duplicity-home')} --encrypt-key bench ` +
        `--gpg-options "--trust-model always" ${tree} file://${at('duplicity')}`,
    },
  ]
}

function inShell(base: string, script: string): string[] {
  return ['sh', '-c', `export GNUPGHOME="$1/gnupg"; ${script}`, 'sh', base]
}

function makeKey(base: string): void {
  const gpg = (...args: string[]) => {
    const home = ['--homedir', join(base, 'gnupg')]
    const argv = [
      'gpg',
      ...home,
      '--batch',
      '--quiet',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      '',
      ...args,
    ]
    const { exitCode, stdout, stderr } = Bun.spawnSync(argv)
    if (exitCode !== 0) throw new Error(`gpg: ${stderr}`)
    return stdout
  }
  gpg('--quick-generate-key', 'bench', 'ed25519', 'sign', 'never')
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(gpg('--list-keys', '--with-colons').toString())?.[1] ?? ''
  gpg('--quick-add-key', fingerprint, 'cv25519', 'encr', 'never')
  gpg('--output', join(base, 'public.gpg'), '--export', 'bench')
  gpg('--output', join(base, 'secret.gpg'), '--export-secret-keys', 'bench')
}

/** One part in this process, so that its time and memory are its own. */
async function work(
  part: string,
  base: string,
  tree: string,
  target = join(base, 'restored'),
): Promise<void> {
  const host = new LocalHostWriter('/', { ...ALL_GRANTS, run: [['/usr/bin/sync', '…']] })
  const destination = new DirectoryDestination(host, join(base, 'ours'), '0000000000000000')
  if (part === 'restore') {
    const { readPrivateKeys } = await import('openpgp')
    const privateKeys = await readPrivateKeys({ binaryKeys: readFileSync(join(base, 'secret.gpg')) })
    const options = { target, patterns: [], overwrite: false }
    const unlock = async (message: Parameters<Parameters<typeof restore>[2]>[0]) =>
      (await message.unlock({ privateKeys }))[0] ?? new Uint8Array(32)
    await restore(host, [{ name: NAME, stored: () => destination.read(NAME) }], unlock, options)
    return
  }
  const now = new Date()
  const [recipient] = await judgeKeyFile('public.gpg', readFileSync(join(base, 'public.gpg')), undefined, now)
  if (!recipient) throw new Error('there is no key')
  if (await destination.stat(NAME)) await destination.remove(NAME)
  const sessionKey = newSessionKey()
  const signal = new AbortController().signal
  const indexStore =
    part === 'index' || part === 'changes' ? new IndexStore(host, join(base, 'state')) : undefined
  const before = part === 'changes' ? await indexStore?.open() : undefined
  const index = indexStore?.create({ backup: NAME, settings: '' })
  const written = await writeBackup(
    host,
    {
      sources: { ...sourcesSchema.parse({ paths: [tree] }), neverInclude: [base], signal },
      dumps: { programs: [], context: { signal, now, secret: () => '', lastBytes: {} } },
      about: {
        job: 'bench',
        host: '',
        createdAt: now.toISOString(),
        chain: { full: NAME, index: 0, previous: null },
      },
      compressionLevel: LEVEL,
      before: before?.entries,
      index,
    },
    sessionKey,
    { publicKeys: [recipient.key], passphrase: undefined, now },
    destination,
    NAME,
    () => {},
  )
  index?.commit()
  if (part !== 'prove' && part !== 'changes') return
  const expected = { written, sessionKey, keyIds: [recipient.encryptionKeyId], passphrase: undefined }
  await proveBackup(destination, NAME, expected, () => {}, signal)
}

function sizes(base: string): string {
  const bytes = (name: string) => `${(statSync(join(base, name)).size / 1e6).toFixed(0)} MB`
  return `${bytes(`ours/${readdirSync(join(base, 'ours'))[0]}`)} by reeve, ${bytes('hand/old')} by hand`
}

function faster(a: Measurement, b: Measurement): Measurement {
  return b.seconds < a.seconds ? b : a
}

function against(yardstick: Measurement, ours: Measurement, wanted: number): string {
  return `${(ours.seconds / yardstick.seconds).toFixed(2)} × (wanted ≤ ${wanted})`
}

function times(peer: Measurement, ours: Measurement, wanted: number): string {
  return `${(peer.seconds / ours.seconds).toFixed(1)} × as long as ours (wanted ≥ ${wanted})`
}

async function mustEnd(argv: string[]): Promise<Measurement> {
  const measurement = await measure(argv)
  if (measurement.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${measurement.stderr}`)
  return measurement
}
