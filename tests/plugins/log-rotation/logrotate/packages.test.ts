import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseConfiguration, startConfiguration } from '../../../../plugins/log-rotation/logrotate/parse.ts'
import { DEFAULTS } from '../../../../plugins/log-rotation/logrotate/settings.ts'
import { splitWords } from '../../../../plugins/log-rotation/logrotate/words.ts'
import { logrotate } from '../../../../plugins/log-rotation/program/main.ts'
import { testWith } from '../../../kit/needs.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { isNewer, REAL } from './oracle.ts'
import { FILES } from './package-files.ts'

setDefaultTimeout(180_000)

const FETCH_MS = 60_000
const PACKAGES = [
  'rsyslog',
  'nginx-common',
  'postgresql-common',
  'mariadb-server',
  'redis-server',
  'apache2',
  'samba',
  'exim4-base',
  'fail2ban',
  'ufw',
  'lynis',
  'apt',
  'dpkg',
]

const names = (path: string) =>
  new Set(
    readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':')[0]),
  )
const [users, groups] = [names('/etc/passwd'), names('/etc/group')]

/** With accounts that this machine has: a block of one that it lacks would only be skipped by both. */
const here = (text: string) =>
  text.replace(
    /^(\s*(?:su|create|createolddir)(?: [0-7]+)?) ([\w-]+) ([\w-]+)$/gm,
    (_, directive: string, user: string, group: string) =>
      `${directive} ${users.has(user) ? user : 'nobody'} ${groups.has(group) ? group : 'nogroup'}`,
  )

/** The directories of a host below another one, with a log for every pattern and what is left of earlier days. */
function hostWith(files: Record<string, string>, root: string): string {
  const directory = join(root, 'etc/logrotate.d')
  mkdirSync(directory, { recursive: true })
  const times: string[] = []
  for (const [name, text] of Object.entries(files)) {
    const moved = here(text).replace(/(?<![\w/])\/(?=(?:var|run|opt)\/)/g, `${root}/`)
    writeFileSync(join(directory, name), moved, { mode: 0o644 })
    for (const log of logsOf(moved)) {
      mkdirSync(dirname(log), { recursive: true })
      writeFileSync(log, 'one\ntwo\n')
      writeFileSync(`${log}.1`, 'older\n')
      writeFileSync(`${log}.2.gz`, Bun.gzipSync(Buffer.from('oldest\n')))
      times.push(`"${log}" 2020-1-1-0:0:0\n`)
    }
  }
  writeFileSync(join(root, 'state'), `logrotate state -- version 2\n${times.join('')}`, { mode: 0o640 })
  writeFileSync(join(root, 'logrotate.conf'), `weekly\nrotate 4\ncreate\ninclude ${directory}\n`, {
    mode: 0o644,
  })
  return join(root, 'logrotate.conf')
}

/** A log for each pattern of a file, whose wildcards stand for an x. */
function logsOf(text: string): string[] {
  const configuration = startConfiguration(DEFAULTS)
  parseConfiguration(text, 'file', configuration, {
    userId: () => 0,
    groupId: () => 0,
    home: () => '/root',
    glob: (pattern) => ({ paths: [pattern] }),
    isDirectory: () => false,
    isPrintable: () => true,
    mayInclude: false,
    include: () => true,
    verifyOldDirectory: () => true,
    error: () => {},
    warning: () => {},
    debug: () => {},
  })
  return configuration.sets
    .flatMap(({ pattern }) => splitWords(pattern) ?? [])
    .map((pattern) => pattern.replace(/\[[^\]]*\]|[*?]/g, 'x'))
}

/** What a dry run says that it would do; how it is told has changed over the years. */
function actions(said: string): string[] {
  return said
    .split('\n')
    .filter((line) =>
      /^(considering|error:|rotating log|renaming|creating|copying|truncating|compressing|removing|running|switching euid|not running| {2}log needs| {2}log does not need)/.test(
        line,
      ),
    )
    .map((line) =>
      line
        .replace(/\(pid [0-9]+\)/, '')
        .replace(/log->rotateCount is.*/, '')
        .trimEnd(),
    )
    .map((line) => line.replace(' , skipping', ', skipping'))
    .filter((line) => !line.startsWith('running script with args'))
}

async function expectSamePlan(files: Record<string, string>, root: string): Promise<void> {
  chmodSync(root, 0o755)
  const configuration = hostWith(files, root)
  const args = ['-d', '-s', join(root, 'state'), configuration]
  const real = Bun.spawnSync([REAL, ...args], { stdout: 'ignore' })
  let said = ''
  const exit = await logrotate(args, (text) => {
    said += text
  })
  // Since 3.22 the prerotate script comes before earlier logs are moved on.
  const inOrder = (lines: string[]) => (isNewer ? lines : lines.sort())
  expect(inOrder(actions(said))).toEqual(inOrder(actions(String(real.stderr))))
  expect(exit).toBe(real.exitCode)
  expect(actions(said).filter((line) => line.startsWith('rotating log')).length).toBeGreaterThan(
    Object.keys(files).length / 2,
  )
}

test.each(Object.entries(FILES))('a file in the shape of the one of %s is read without a word', (_, text) => {
  const said: string[] = []
  const configuration = startConfiguration(DEFAULTS)
  const isClean = parseConfiguration(text, 'file', configuration, {
    userId: () => 0,
    groupId: () => 0,
    home: () => '/root',
    glob: (pattern) => ({ paths: [pattern] }),
    isDirectory: () => false,
    isPrintable: () => true,
    mayInclude: true,
    include: () => true,
    verifyOldDirectory: () => true,
    error: (message) => said.push(message),
    warning: (message) => said.push(message),
    debug: () => {},
  })
  expect([isClean, said, configuration.sets.length > 0]).toEqual([true, [], true])
})

testWith({ programs: [REAL], root: true })(
  'a dry run over files of such shapes plans what the real program plans',
  async () => {
    using directory = temporaryDirectory()
    await expectSamePlan(FILES, directory.path)
  },
)

/** The files of the packages, fetched into a directory of their own; undefined when there is no archive. */
function fetchFiles(root: string): Record<string, string> | undefined {
  const known = String(Bun.spawnSync(['apt-cache', 'show', '--no-all-versions', ...PACKAGES]).stdout)
  const found = [...known.matchAll(/^Package: (.*)$/gm)].map(([, name]) => name ?? '')
  const inside = { cwd: root, stdout: 'ignore', stderr: 'ignore', timeout: FETCH_MS } as const
  if (found.length === 0 || Bun.spawnSync(['apt-get', 'download', '-q', ...found], inside).exitCode !== 0)
    return undefined
  const unpack =
    'for archive in *.deb; do dpkg-deb --fsys-tarfile "$archive" | tar -x ./etc/logrotate.d; done'
  Bun.spawnSync(['sh', '-c', unpack], inside)
  const directory = join(root, 'etc/logrotate.d')
  return Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  )
}

const NO_ARCHIVE = process.env.REEVE_TEST_APT === 'no' ? 'REEVE_TEST_APT=no' : undefined
let fetched: Record<string, string> | undefined
using packages = temporaryDirectory()
const isPossible = !NO_ARCHIVE && process.getuid?.() === 0 && Bun.which('apt-get') && Bun.which(REAL)
if (isPossible) fetched = fetchFiles(packages.path)

testWith({
  programs: [REAL],
  root: true,
  reason: fetched ? undefined : (NO_ARCHIVE ?? 'no package archive in reach'),
})('a dry run over the files of the common packages plans what the real program plans', async () => {
  using directory = temporaryDirectory()
  const files = fetched ?? {}
  expect(Object.keys(files).length).toBeGreaterThanOrEqual(8)
  await expectSamePlan(files, directory.path)
})
