import { afterAll, expect, setDefaultTimeout } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testWith } from '../../../kit/needs.ts'
import { factsOf } from '../attributes.ts'
import { BackupFixture, DAY_MS, onDisk } from '../fixture.ts'
import { GnuPg } from '../gnupg.ts'

setDefaultTimeout(60_000)
let gnuPg: GnuPg | undefined
const home = () => (gnuPg ??= new GnuPg())
afterAll(() => gnuPg?.[Symbol.dispose]())
const withTools = testWith({ programs: ['gpg', 'zstd', 'tar', 'bash'] })

/** The commands of a section of the page. */
function commandsOf(page: string, section: string): string[] {
  const text = page.split(/^## /m).find((part) => part.includes(section)) ?? ''
  return [...text.matchAll(/^```\n([\s\S]*?)\n```$/gm)].map((match) => match[1] ?? '')
}

withTools('what the page says restores a chain, and its seal is good', async () => {
  const fingerprint = home().makeKey('Ops <ops@example.org>')
  const file = join(home().home, 'public.asc')
  home().exportPublic(file, ['ops@example.org'], { armor: true })
  using fixture = new BackupFixture({ recipients: [{ file, fingerprint }], incremental: {} })
  fixture.write("it's a name", 'one')
  fixture.write('goes', 'x')
  await fixture.enforce()
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  fixture.write("it's a name", 'two')
  await fixture.enforce()
  const { text: page } = await fixture.command('export-instructions')
  expect(page).toContain(fingerprint)
  expect(page).toContain('ops@example.org')
  expect(page).toContain(fixture.destination)

  const [, restore = ''] = commandsOf(page, '4. Restore with gpg')
  const run = (script: string) =>
    Bun.spawnSync(['bash', '-c', script], { cwd: fixture.destination, env: { ...home().env } })
  const restored = run(restore)
  expect(restored.stderr.toString()).not.toContain('rror')
  expect(restored.exitCode).toBe(0)
  expect(factsOf(join(fixture.destination, 'restored', fixture.source))).toEqual(factsOf(fixture.source))

  const [key = '', check = ''] = commandsOf(page, '6. See that')
  writeFileSync(join(fixture.destination, 'host.asc'), key)
  const checked = run(check)
  expect(checked.stderr.toString()).toContain('Good signature')
  expect(checked.stdout.toString()).toContain(': OK')
})

withTools('the page tells of every kind of place, and holds no secret', async () => {
  using fixture = new BackupFixture()
  using other = new BackupFixture({
    destinations: [
      { ...onDisk(fixture.destination), mountUuid: '3e6be9de-8139-4a1c-9106-a43f08d823a6' },
      {
        name: 'offsite',
        type: 'sftp',
        host: 'backup.example.org',
        user: 'web1',
        directory: 'backups',
        identityFile: '/etc/reeve/keys/offsite',
        knownHosts: '/etc/reeve/known_hosts',
      },
      {
        name: 'cloud',
        type: 's3',
        endpoint: 'https://s3.example.org',
        bucket: 'backups',
        prefix: 'web1/',
        accessKeyId: 'env:KEY_ID',
        secretAccessKey: 'env:KEY',
      },
    ],
  })
  const { text } = await other.command('export-instructions')
  for (const part of [
    'mount UUID=3e6be9de',
    'sftp -P 22 web1@backup.example.org',
    's3://backups/web1/',
    'There was no proven backup',
    "reeve backup restore --from 'sftp://web1@backup.example.org:22/~/backups'",
  ]) {
    expect(text).toContain(part)
  }
  expect(text).not.toContain(Object.values(other.secrets)[0] ?? 'x')
})
