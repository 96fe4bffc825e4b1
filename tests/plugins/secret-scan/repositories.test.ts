import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import plugin from '../../../plugins/secret-scan/plugin.ts'
import { testWith } from '../../kit/needs.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { TestRepository } from './repository.ts'
import { NOTHING } from './settings.ts'

setDefaultTimeout(30_000)
const gitTest = testWith({ programs: ['git'] })
const SECRET = 'hunter2-and-more-5'
const IGNORED = { '.gitignore': '.env\n' }

function scan(work: string, repositories: string[], git: Record<string, unknown> = {}, more: object = {}) {
  const config = {
    ...NOTHING,
    repositories,
    git: { untracked: ['.env', '*.key', 'config.yaml'], ...git },
    ...more,
  }
  return pluginUnderTest(plugin, config, { stateDir: join(work, 'state') }).check()
}

function brief(report: Awaited<ReturnType<typeof scan>>) {
  return report.findings.map(({ rule, evidence, summary }) => [rule, evidence?.line ?? null, summary])
}

gitTest('a repository that keeps secrets out of itself has no findings', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({
    ...IGNORED,
    'config.yaml.example': 'token: your-secure-token\n',
    'app.yaml': 'token: env:TOKEN\n',
    'main.ts': "const password = readSecret('password')\n",
  })
  repository.write('.env', `TOKEN=${SECRET}\n`)
  repository.git('remote', 'add', 'origin', 'git@example.org:app.git')
  const report = await scan(work.path, [repository.path])
  expect([report.findings, report.blind]).toEqual([[], []])
  expect(report.coverage?.examined).toBe(4)
})

gitTest('tracked files that are made for secrets, and secrets in tracked files, are found', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({
    ...IGNORED,
    'deploy/.env': 'A=1\n',
    'settings.ini': `[mail]\n\nsmtp-password = ${SECRET}\n`,
    'main.py': `\n\nAPI_KEY = "k9x-77ab-11cd"\nlabel = "password: your password"\n`,
  })
  const report = await scan(work.path, [repository.path], { commits: 0 })
  expect(brief(report)).toEqual([
    ['tracked-file', null, `${repository.path} tracks deploy/.env: a commit takes along what it holds`],
    ['secret-in-repository', 3, `${repository.path}/main.py:3 is tracked and holds a secret: API_KEY`],
    [
      'secret-in-repository',
      3,
      `${repository.path}/settings.ini:3 is tracked and holds a secret: smtp-password`,
    ],
    [
      'secret-in-commit',
      null,
      `A commit of ${repository.path} added deploy/.env: its history keeps what was in it`,
    ],
  ])
  expect(JSON.stringify(report)).not.toContain(SECRET)
})

gitTest('the remedy for a tracked file, carried out as it stands, makes the finding go away', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({ ...IGNORED, "a 'b'.key": 'k\n' })
  const first = await scan(work.path, [repository.path], { commits: 0 })
  const [finding] = first.findings.filter(({ rule }) => rule === 'tracked-file')
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-e', '-c', finding?.remedy ?? 'false'], {
    env: { PATH: process.env.PATH, HOME: work.path, EMAIL: 'a@example.org', GIT_CONFIG_NOSYSTEM: '1' },
  })
  expect([exitCode, stderr.toString()]).toEqual([0, ''])
  const second = await scan(work.path, [repository.path], { commits: 0 })
  expect(second.findings.map(({ rule }) => rule)).toEqual(['secret-in-commit'])
})

gitTest('what was committed once is found in the history, with commit, path and line', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({ ...IGNORED, 'app.yaml': 'a: 1\nb: 2\n' })
  const bad = repository.commit({
    'app.yaml': `a: 1\nb: 2\ndb:\n  password: ${SECRET}\n`,
    'ünï "q".env': `TOKEN=${SECRET}1\n`,
  })
  rmSync(join(repository.path, 'ünï "q".env'))
  repository.commit({ 'app.yaml': 'a: 1\n' })
  const report = await scan(work.path, [repository.path])
  expect(
    report.findings.map(({ rule, evidence }) => [rule, evidence?.commit, evidence?.path, evidence?.line]),
  ).toEqual([
    ['secret-in-commit', bad, `${repository.path}/app.yaml`, 4],
    ['secret-in-commit', bad, `${repository.path}/ünï "q".env`, 1],
  ])
  expect((await scan(work.path, [repository.path], { commits: 1 })).findings).toEqual([])
})

gitTest('a secret that only a merge brings in is found', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({ ...IGNORED, 'app.yaml': 'a: 1\n' })
  repository.git('checkout', '--quiet', '-b', 'side')
  repository.commit({ 'app.yaml': 'a: 2\n' })
  repository.git('checkout', '--quiet', 'main')
  repository.commit({ 'app.yaml': 'a: 3\n' })
  Bun.spawnSync(['git', '-C', repository.path, 'merge', 'side'])
  const merge = repository.commit({ 'app.yaml': `a: 4\ntoken: ${SECRET}\n` })
  repository.commit({ 'app.yaml': 'a: 5\n' })
  const report = await scan(work.path, [repository.path])
  expect(report.findings.map(({ evidence }) => [evidence?.commit, evidence?.line])).toEqual([[merge, 2]])
})

gitTest('what is staged is found before it is committed, in a repository without a commit, too', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.write('.gitignore', '.env\n')
  repository.write('app.toml', `\n[a]\ntoken = "${SECRET}"\n`)
  repository.git('add', '--all')
  repository.write('app.toml', 'token = ""\n')
  const report = await scan(work.path, [repository.path])
  expect(report.findings.map(({ rule, evidence }) => [rule, evidence?.line])).toEqual([['secret-staged', 3]])
  expect(report.blind).toEqual([])
})

gitTest(
  'what is not ignored is found, in .gitignore and .dockerignore, and environment files in the tree',
  async () => {
    using work = temporaryDirectory()
    const repository = new TestRepository(join(work.path, 'app'))
    repository.commit({ Dockerfile: 'FROM scratch\n', 'config.yaml.example': '' })
    const env = repository.write('conf/live.env', `TOKEN=${SECRET}\n`)
    chmodSync(env, 0o600)
    const git = {
      dockerignored: ['.env', 'data/secrets'],
      ignored: ['.env', 'data/secrets'],
      wanted: ['missing.md'],
    }
    const more = { environmentFiles: [env] }
    const check = () => scan(work.path, [repository.path], git, more)
    const report = await check()
    expect(report.findings.map(({ rule, subject }) => [rule, subject.slice(repository.path.length)])).toEqual(
      [
        ['not-tracked', '/missing.md'],
        ['not-ignored', '/.env:.gitignore'],
        ['not-ignored', '/data/secrets:.gitignore'],
        ['not-ignored', '/conf/live.env:.gitignore'],
        ['not-ignored', '/.env:.dockerignore'],
        ['not-ignored', '/data/secrets:.dockerignore'],
      ],
    )
    for (const { rule, remedy } of report.findings) {
      if (rule === 'not-ignored') expect(Bun.spawnSync(['sh', '-c', remedy ?? 'false']).exitCode).toBe(0)
    }
    expect((await check()).findings.map(({ rule }) => rule)).toEqual(['not-tracked'])
  },
)

gitTest('credentials in addresses, headers and the credential store are found with their line', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit(IGNORED)
  repository.git('remote', 'add', 'origin', `https://deploy:${SECRET}@git.example.org/app.git`)
  repository.git('remote', 'add', 'token', `https://ghp_${'a1B2'.repeat(9)}@git.example.org/app.git`)
  repository.git('remote', 'add', 'fine', 'ssh://git@git.example.org/app.git')
  repository.git('config', 'http.https://git.example.org/.extraheader', `Authorization: Basic ${SECRET}`)
  repository.git('config', 'credential.helper', 'store')
  const report = await scan(work.path, [repository.path])
  expect(report.findings.map(({ rule, evidence }) => [rule, evidence?.key ?? null])).toEqual([
    ['credentials-in-remote', 'remote.origin.url'],
    ['credentials-in-remote', 'remote.token.url'],
    ['credentials-in-remote', 'http.https://git.example.org/.extraheader'],
    ['stored-credentials', null],
  ])
  expect(JSON.stringify(report)).not.toContain(SECRET)
})

gitTest('a missing hook is found where one is wanted', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit(IGNORED)
  const check = async () =>
    (await scan(work.path, [repository.path], { hook: true })).findings.map(({ rule }) => rule)
  expect(await check()).toEqual(['no-commit-hook'])
  writeFileSync(join(repository.path, '.git/hooks/pre-push'), '#!/bin/sh\n', { mode: 0o755 })
  expect(await check()).toEqual([])
})

gitTest('a bare repository is searched by its history', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({ ...IGNORED, 'a.yaml': `token: ${SECRET}\n` })
  const bare = join(work.path, 'bare.git')
  repository.git('clone', '--quiet', '--bare', repository.path, bare)
  expect((await scan(work.path, [bare])).findings.map(({ rule }) => rule)).toEqual(['secret-in-commit'])
})

gitTest('the settings of a hostile repository start nothing', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({ ...IGNORED, '.gitattributes': '* diff=evil filter=evil\n', 'a.txt': 'a\n' })
  const mark = join(work.path, 'executed')
  const evil = join(work.path, 'evil')
  writeFileSync(evil, `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 })
  for (const [key, value] of [
    ['core.fsmonitor', evil],
    ['core.pager', evil],
    ['core.editor', evil],
    ['core.sshCommand', evil],
    ['core.askPass', evil],
    ['core.hooksPath', work.path],
    ['core.worktree', '/'],
    ['core.alternateRefsCommand', evil],
    ['diff.external', evil],
    ['diff.evil.textconv', evil],
    ['diff.evil.command', evil],
    ['filter.evil.clean', evil],
    ['filter.evil.process', evil],
    ['gpg.program', evil],
    ['log.showSignature', 'true'],
    ['credential.helper', `!${evil}`],
    ['extensions.partialClone', 'origin'],
    ['remote.origin.promisor', 'true'],
    ['remote.origin.url', `ext::${evil}`],
    ['protocol.ext.allow', 'always'],
    ['alias.log', `!${evil}`],
    ['alias.ls-files', `!${evil}`],
  ] as const) {
    Bun.spawnSync(['git', 'config', '--file', join(repository.path, '.git/config'), key, value])
  }
  // An object that is missing, and would be fetched.
  const blob = Bun.spawnSync(['git', 'hash-object', join(repository.path, 'a.txt')])
    .stdout.toString()
    .trim()
  rmSync(join(repository.path, '.git/objects', blob.slice(0, 2), blob.slice(2)))
  const report = await scan(work.path, [repository.path])
  expect(existsSync(mark)).toBe(false)
  // What could not be seen is told.
  expect(report.blind?.map(({ rules }) => rules)).toEqual([['secret-in-commit']])
})

gitTest(
  'a repository of another user, and one that is broken, are looked at or blind, never clean',
  async () => {
    using work = temporaryDirectory()
    const broken = join(work.path, 'broken')
    mkdirSync(join(broken, '.git'), { recursive: true })
    const plain = join(work.path, 'plain')
    mkdirSync(plain)
    const endless = new TestRepository(join(work.path, 'endless'))
    endless.commit(IGNORED)
    writeFileSync(join(endless.path, '.git/config'), '[include]\npath = config\n')
    const loop = join(work.path, 'loop')
    symlinkSync('loop', loop)
    const missing = join(work.path, 'missing')
    for (const path of [broken, plain, endless.path, missing]) {
      const report = await scan(work.path, [path])
      expect([path, (report.blind ?? []).length > 0]).toEqual([path, true])
      expect(report.inapplicable?.map(({ rule }) => rule)).not.toContain('secret-in-commit')
    }
  },
)

gitTest('a history that is longer than is searched is blind', async () => {
  using work = temporaryDirectory()
  const repository = new TestRepository(join(work.path, 'app'))
  repository.commit({ ...IGNORED, 'big.txt': 'some words\n'.repeat(30_000) })
  const report = await scan(work.path, [repository.path], { historyBytes: '64k' })
  expect(report.blind).toEqual([
    {
      subject: repository.path,
      reason: 'there is more than is searched (git.historyBytes)',
      rules: ['secret-in-commit'],
    },
  ])
})

test('a job without repositories says that it judges none', async () => {
  using work = temporaryDirectory()
  const report = await scan(work.path, [])
  expect(report.inapplicable).toContainEqual({
    rule: 'tracked-file',
    reason: 'the job names no repositories',
  })
})
