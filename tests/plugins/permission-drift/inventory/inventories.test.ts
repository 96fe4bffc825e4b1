import { describe, expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import {
  programsOfCrontab,
  programsOfUnit,
} from '../../../../plugins/permission-drift/inventory/privileged-program.ts'
import { parseSearchPath } from '../../../../plugins/permission-drift/inventory/search-path.ts'
import { testWith } from '../../../kit/needs.ts'
import { type ConfigInput, hostFixture, tellAll } from '../fixture.ts'

const config: ConfigInput = { inventories: {} }

/** A host that is in order, with a program that is setuid from the start. */
function hostInOrder() {
  const host = hostFixture()
  host.make('/usr/bin/su', 0o755)
  chmodSync(`${host.root}/usr/bin/su`, 0o4755)
  host.make('/usr/local/bin/tool', 0o755)
  mkdirSync(`${host.root}/tmp`)
  chmodSync(`${host.root}/tmp`, 0o1777)
  host.make('/etc/profile', 0o644, 'PATH="/usr/local/bin:/usr/bin:/nowhere"\nexport PATH\n')
  host.make('/home/ana/.profile', 0o644, 'PATH="$HOME/bin:$PATH"\n')
  host.make('/home/ana/bin/own', 0o755)
  host.make('/etc/systemd/system/app.service', 0o644, '[Service]\nExecStart=/opt/app/run --x\n')
  host.make('/opt/app/run', 0o755)
  host.make('/etc/cron.d/job', 0o644, '*/5 * * * * root /opt/job && echo\n')
  host.make('/opt/job', 0o755)
  for (const path of ['/home/ana', '/home/ana/bin', '/home/ana/bin/own'])
    chownSync(host.root + path, 1000, 1000)
  return host
}

describe('check() with inventories', () => {
  testWith({ root: true, programs: ['setcap'] })(
    'check() is silent about a host in order, then tells what came to it',
    async () => {
      using host = hostInOrder()
      const first = await host.check(config)
      expect(first).toMatchObject({ findings: [], blind: [] })
      expect(first.facts).toEqual([
        { kind: 'set-id-program', subject: '/usr/bin/su', data: { state: '4755 0:0' } },
      ])
      expect(host.memory()).toMatchObject({ inventories: 1 })

      host.make('/srv/shell', 0o755)
      chmodSync(`${host.root}/srv/shell`, 0o6755)
      chmodSync(`${host.root}/usr/bin/su`, 0o4777)
      Bun.spawnSync(['setcap', 'cap_net_raw=ep', `${host.root}/usr/local/bin/tool`])
      host.make('/srv/open', 0o644)
      chmodSync(`${host.root}/srv/open`, 0o666)
      chmodSync(`${host.root}/tmp`, 0o777)
      host.make('/srv/lost', 0o644)
      chownSync(`${host.root}/srv/lost`, 4242, 0)
      chmodSync(`${host.root}/usr/local/bin`, 0o777)
      chownSync(`${host.root}/opt/app/run`, 1000, 0)
      chownSync(`${host.root}/opt/job`, 0, 1000)
      chmodSync(`${host.root}/opt/job`, 0o775)
      const report = await host.check(config)
      expect(tellAll(report).sort()).toEqual([
        'no-owner /srv/lost',
        'program-with-capabilities /usr/local/bin/tool',
        'set-id-program /srv/shell',
        'set-id-program /usr/bin/su',
        'world-writable /srv/open',
        'world-writable /tmp',
        'world-writable /usr/bin/su',
        'world-writable /usr/local/bin',
        'writable-path /usr/local/bin',
        'writable-program /opt/app/run',
        'writable-program /opt/job',
      ])
      expect(report.findings.find(({ subject }) => subject === '/opt/job')?.summary).toContain(
        'group ana can write /opt/job',
      )
      expect(tellAll(await host.check(config)).sort()).toEqual(tellAll(report).sort())
    },
  )

  testWith({ root: true })(
    'check() finds that what was accepted was changed, and is not content',
    async () => {
      using host = hostInOrder()
      await host.check(config)
      const file = `${host.root}/state/inventories.json`
      writeFileSync(file, readFileSync(file, 'utf8').replace('"4755 0:0"', '"6755 0:0"'))
      const report = await host.check(config)
      expect(tellAll(report)).toEqual(['baseline-tampered inventories'])
      expect(report.blind?.[0]?.subject).toBe('inventories')
    },
  )

  testWith({ root: true })('check() is silent about kinds that are not asked for', async () => {
    using host = hostInOrder()
    chmodSync(`${host.root}/usr/local/bin`, 0o777)
    expect(tellAll(await host.check({ inventories: { kinds: ['no-owner'] } }))).toEqual([])
  })
})

test.each([
  ['PATH=/a:/b', ['/a', '/b']],
  ['export PATH="$HOME/bin:~/x:$PATH:/c/"', ['/home/ana/bin', '/home/ana/x', '/c']],
  ['ENV_SUPATH\tPATH=/sbin:/bin', ['/sbin', '/bin']],
  ['Defaults\tsecure_path="/usr/sbin:/usr/bin"', ['/usr/sbin', '/usr/bin']],
  ['# PATH=/a', []],
  ['MANPATH=/a', []],
  ['PATH=.:bin:', []],
])('parseSearchPath() of %j', (line, expected) => {
  expect(parseSearchPath(line, '/home/ana')).toEqual(expected)
})

test.each([
  ['[Service]\nExecStart=-/bin/a b\nExecStartPre=+/bin/c', ['/bin/a', '/bin/c']],
  ['[Service]\nUser=ana\nExecStart=/bin/a\nExecStartPre=+/bin/c', ['/bin/c']],
  ['[Service]\nDynamicUser=yes\nExecStart=/bin/a', []],
  ['[Service]\nExecStart=/bin/%i', []],
])('programsOfUnit() of %j', (text, expected) => {
  expect(programsOfUnit(text)).toEqual(expected)
})

test.each([
  ['* * * * * root /bin/a; /bin/b > /dev/null', true, ['/bin/a', '/bin/b']],
  ['* * * * * ana /bin/a', true, []],
  ['@daily root test -x /x || /bin/a', true, ['/x', '/bin/a']],
  ['@daily /bin/a', false, ['/bin/a']],
  ['SHELL=/bin/sh\n# x', true, []],
])('programsOfCrontab() of %j', (text, withUser, expected) => {
  expect(programsOfCrontab(text, withUser)).toEqual(expected)
})
