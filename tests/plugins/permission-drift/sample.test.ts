import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import plugin from '../../../plugins/permission-drift/plugin.ts'
import { isRoot } from '../../kit/ordinary-user.ts'
import { hostFixture, tellAll } from './fixture.ts'

const sample = parse(readFileSync(`${import.meta.dir}/../../../plugins/permission-drift/sample.yaml`, 'utf8'))

test('sample.yaml is a job of this plugin', () => {
  const [job] = Object.values<{ plugin: string; mode: string; config: unknown }>(sample)
  expect(job?.plugin).toBe(plugin.name)
  expect(plugin.config.safeParse(job?.config).error).toBeUndefined()
})

test.skipIf(!isRoot)(
  'sample.yaml finds what is wrong with a host, and is silent about one that is right',
  async () => {
    using host = hostFixture()
    const { config } = sample.permissions
    host.make('/etc/shadow', 0o640)
    host.make('/etc/sudoers.d/ana', 0o440)
    host.make('/home/ana/.ssh/id_rsa', 0o600)
    host.make('/home/ana/.ssh/id_rsa.pub', 0o644)
    host.make('/usr/local/bin/tool', 0o755)
    chmodSync(`${host.root}/home/ana/.ssh`, 0o700)
    mkdirSync(`${host.root}/tmp`)
    chmodSync(`${host.root}/tmp`, 0o1777)
    expect(tellAll(await host.check(config))).toEqual([])
    chmodSync(`${host.root}/etc/shadow`, 0o644)
    chmodSync(`${host.root}/etc/sudoers.d/ana`, 0o666)
    chmodSync(`${host.root}/home/ana/.ssh/id_rsa`, 0o644)
    host.make('/etc/rstmdb/tokens', 0o640)
    const report = await host.check(config)
    expect(tellAll(report)).toEqual([
      'mode-differs /etc/rstmdb/tokens',
      'mode-differs /etc/shadow',
      'mode-differs /etc/sudoers.d/ana',
      'mode-differs /home/ana/.ssh/id_rsa',
      'new /etc/rstmdb',
    ])
    expect(report.blind?.map(({ reason }) => reason)).toEqual([
      'there is no user "rstmdb" on this host; there is no group "rstmdb" on this host',
    ])
  },
)
