import { expect, setDefaultTimeout } from 'bun:test'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { landlockAbi } from '../../../agent/worker/landlock.ts'
import { testWith } from '../../kit/needs.ts'
import { Workspace } from '../../kit/workspace.ts'
import { TestRepository } from './repository.ts'
import { NOTHING } from './settings.ts'

setDefaultTimeout(60_000)
const abi = landlockAbi()
const jailTest = testWith({
  programs: ['git'],
  reason: abi < 3 ? `needs Landlock ABI 3, this kernel has ${abi}` : undefined,
})
const canary = (name: string) => `canary7${name}9Zr81kdPlmN4vXs`

jailTest(
  'secrets that were found in every source show in no report, log, database, alert or error',
  async () => {
    await using host = new Workspace()
    const srv = join(host.path, 'srv')
    const names = [
      'config',
      'url',
      'log',
      'unit',
      'cron',
      'env',
      'history',
      'tracked',
      'staged',
      'commit',
      'remote',
      'key',
    ]
    host.write(
      'srv/etc/a.yaml',
      `password: ${canary('config')}\nurl: https://u:${canary('url')}@h.example.org\n${canary('key')}_token: x9\n`,
    )
    host.write('srv/log/a.log', `token=${canary('log')}\n`)
    host.write('srv/units/a.service', `[Service]\nEnvironment=TOKEN=${canary('unit')}\nExecStart=/bin/true\n`)
    host.write('srv/cron/a', `0 1 * * * root app --password ${canary('cron')}\n`)
    host.write('srv/env', `TOKEN=${canary('env')}\n`, 0o644)
    host.write('srv/history', `app --token ${canary('history')}\n`)
    const repository = new TestRepository(join(srv, 'app'))
    repository.commit({ 'b.ini': `token = ${canary('commit')}\n` })
    repository.commit({
      'b.ini': 'token =\n',
      'a.ini': `token = ${canary('tracked')}\n`,
      '.gitignore': '.env\n',
    })
    writeFileSync(join(repository.path, 'c.ini'), `token = ${canary('staged')}\n`)
    repository.git('add', '.')
    repository.git('remote', 'add', 'origin', `https://u:${canary('remote')}@h.example.org/a.git`)
    // A repository of a hostile user in the real jail.
    const mark = join(host.path, 'executed')
    const evil = host.write('srv/evil', `#!/bin/sh\ntouch ${mark}\n`, 0o755)
    for (const key of ['core.fsmonitor', 'core.pager', 'diff.external', 'core.sshCommand'])
      repository.git('config', key, evil)
    const config = {
      ...NOTHING,
      files: [`${srv}/etc/**`],
      logs: [`${srv}/log/**`],
      units: [`${srv}/units/**`],
      scheduled: [`${srv}/cron/*`],
      environmentFiles: [`${srv}/env`],
      histories: [`${srv}/history`],
      repositories: [repository.path],
    }
    host.configure({ jobs: { secrets: { plugin: 'secret-scan', schedule: '@yearly', config } } })
    const said: string[] = []
    for (const args of [
      ['run', 'secrets', '--verbose', '--json'],
      ['run', 'secrets', '--verbose'],
      ['findings', '--json'],
      ['facts', '--json'],
      ['runs', '1', '--json'],
      ...['text', 'html', 'markdown', 'json', 'sarif', 'junit', 'ocsf'].map((format) => [
        'report',
        '--format',
        format,
      ]),
    ]) {
      const { stdout, stderr } = await host.reeve(args)
      said.push(stdout, stderr)
    }
    const rules = new Set(JSON.parse(said[4] ?? '[]').map(({ rule }: { rule: string }) => rule))
    expect([...rules].toSorted()).toEqual([
      'credentials-in-remote',
      'open-secret-file',
      'secret-in-commit',
      'secret-in-config',
      'secret-in-cron',
      'secret-in-history',
      'secret-in-log',
      'secret-in-repository',
      'secret-in-unit',
      'secret-staged',
    ])
    expect(existsSync(mark)).toBe(false)
    for (const name of names) {
      const bytes = Buffer.from(canary(name))
      for (const form of [canary(name), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex')]) {
        expect([name, said.filter((text) => text.includes(form)).length]).toEqual([name, 0])
        const grep = [
          'grep',
          '--recursive',
          '--text',
          '--fixed-strings',
          '--files-with-matches',
          form,
          host.stateDir,
        ]
        expect([name, Bun.spawnSync(grep).stdout.toString()]).toEqual([name, ''])
      }
    }
  },
)
