import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { toGrants } from '../../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../../agent/host/reader.ts'
import { findRivals, startsLogrotate } from '../../../../plugins/log-rotation/adopted/rival.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'

test.each([
  ['0 * * * * root /usr/sbin/logrotate /etc/logrotate.conf\n', true],
  ['@daily root test -x /bin/x && logrotate /etc/a.conf', true],
  ['# 0 * * * * root logrotate /etc/logrotate.conf', false],
  ['0 * * * * root reeve logrotate /etc/logrotate.conf', false],
  ['MAILTO=root\n0 3 * * * root /usr/local/bin/logrotate-report', false],
])('startsLogrotate(%p)', (table, expected) => expect(startsLogrotate(table)).toBe(expected))

function root() {
  const directory = temporaryDirectory('reeve-rival')
  for (const path of ['etc/cron.d', 'etc/cron.daily', 'etc/systemd/system/timers.target.wants']) {
    mkdirSync(`${directory.path}/${path}`, { recursive: true })
  }
  const find = () =>
    findRivals(
      new LocalHostReader(
        directory.path,
        toGrants({ read: ['/etc'] }, '/state', (path) => [path]),
      ),
    )
  return {
    at: (path: string) => `${directory.path}/${path}`,
    find,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  }
}

test('findRivals() tells an enabled timer, with how to end it, and not a masked one', () => {
  using host = root()
  expect(host.find()).toEqual([])
  mkdirSync(host.at('run/systemd/system'), { recursive: true })
  symlinkSync(
    '/lib/systemd/system/logrotate.timer',
    host.at('etc/systemd/system/timers.target.wants/logrotate.timer'),
  )
  expect(host.find()).toMatchObject([
    { rule: 'logrotate-still-active', remedy: 'systemctl disable --now logrotate.timer' },
  ])
  symlinkSync('/dev/null', host.at('etc/systemd/system/logrotate.timer'))
  expect(host.find()).toEqual([])
})

test('findRivals() tells a script of cron only where systemd does not run', () => {
  using host = root()
  writeFileSync(host.at('etc/cron.daily/logrotate'), '#!/bin/sh\n')
  expect(host.find()).toEqual([])
  chmodSync(host.at('etc/cron.daily/logrotate'), 0o755)
  expect(host.find()).toMatchObject([{ subject: '/etc/cron.daily/logrotate' }])
  mkdirSync(host.at('run/systemd/system'), { recursive: true })
  expect(host.find()).toEqual([])
  writeFileSync(host.at('etc/cron.d/mine'), '5 * * * * root logrotate /etc/mine.conf\n')
  expect(host.find()).toMatchObject([{ subject: '/etc/cron.d/mine' }])
})
