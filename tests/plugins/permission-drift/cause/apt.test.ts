import { expect, setDefaultTimeout } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import type { Json, Report } from '../../../../agent/contract/mod.ts'
import drift from '../../../../plugins/permission-drift/plugin.ts'
import { testWith } from '../../../kit/needs.ts'
import { PackageHost, whyNoPackageHost } from '../../../kit/package-host/host.ts'
import { pluginUnderTest } from '../../../kit/plugin.ts'

setDefaultTimeout(300_000)

/** Install only, or the whole life of the packages. */
const IS_LONG = process.env.REEVE_TEST_PACKAGES === 'all'

const aptTest = testWith({ reason: whyNoPackageHost() })

/** Everything but what is no part of the disk. */
const config = {
  trees: [
    {
      path: '/',
      attributes: ['mode', 'owner', 'group', 'size', 'content', 'target'] as const,
      exclude: ['/proc', '/sys', '/dev', '/run', '/tmp', '/root/.cache'],
    },
  ],
  maxFindings: 2000,
}

/** The plugin on such a host, with its memory kept from check to check. */
function checking(root: string) {
  let memory: Json | undefined
  return async (): Promise<Report> => {
    const plugin = pluginUnderTest(
      drift,
      { ...config, trees: config.trees.map((tree) => ({ ...tree, attributes: [...tree.attributes] })) },
      { root, stateDir: '/var/lib/reeve/jobs/packages', now: new Date() },
    )
    const report = await plugin.check(memory)
    memory = report.memory
    return report
  }
}

const tell = ({ findings, blind = [] }: Report) => [
  ...findings.map(({ rule, subject }) => `${rule} ${subject}`).toSorted(),
  ...blind.map(({ subject, reason }) => `blind ${subject}: ${reason}`),
]
const explained = (report: Report) =>
  report.metrics?.find(({ name }) => name === 'explained_changes')?.value ?? 0

aptTest('apt-get install, upgrade, remove and purge explain every change, and no planted one', async () => {
  await using host = await PackageHost.start()
  const { root, packages } = host
  const check = checking(root)
  expect(tell(await check())).toEqual([])

  host.apt('install', '-t', 'bookworm', ...packages)
  // Planted in what the very same transaction brought, right after it.
  chmodSync(`${root}/usr/bin/openssl`, 0o4755)
  appendFileSync(`${root}/usr/sbin/nginx`, 'x')
  chownSync(`${root}/usr/bin/crontab`, 33, 33)
  chmodSync(`${root}/etc/nginx/nginx.conf`, 0o666)
  unlinkSync(`${root}/etc/alternatives/awk`)
  symlinkSync('/tmp/evil', `${root}/etc/alternatives/awk`)
  symlinkSync('/usr/bin/openssl', `${root}/usr/bin/sneaky`)
  writeFileSync(`${root}/etc/cron.d/evil`, '* * * * * root true\n')
  writeFileSync(`${root}/usr/lib/python3.11/__pycache__/evil.cpython-311.pyc`, 'x')
  appendFileSync(`${root}/etc/passwd`, 'evil:x:0:0::/:/bin/sh\n')
  appendFileSync(`${root}/var/lib/dpkg/info/cron.postinst`, 'true\n')
  rmSync(`${root}/usr/bin/base64`)
  mkdirSync(`${root}/etc/new`)
  const first = await check()
  expect(tell(first)).toEqual([
    'changed /etc/alternatives/awk',
    'changed /etc/passwd',
    'new /etc/cron.d/evil',
    'new /etc/new',
    'new /etc/nginx/nginx.conf',
    'new /usr/bin/crontab',
    'new /usr/bin/openssl',
    'new /usr/bin/sneaky',
    'new /usr/lib/python3.11/__pycache__/evil.cpython-311.pyc',
    'new /usr/sbin/nginx',
    'new /var/lib/dpkg/info/cron.postinst',
    'removed /usr/bin/base64',
  ])
  expect(first.findings.find(({ subject }) => subject === '/usr/bin/openssl')?.severity).toBe('critical')
  expect(explained(first)).toBeGreaterThan(1000)
  if (!IS_LONG) return
  // What was explained is in the baseline; what was planted is told again.
  const second = await check()
  expect([tell(second), explained(second)]).toEqual([tell(first), 0])
})

const upgradeTest = testWith({
  reason: whyNoPackageHost() ?? (IS_LONG ? undefined : 'only with REEVE_TEST_PACKAGES=all'),
})

upgradeTest('a host that is installed, upgraded and cleaned up leaves nothing unexplained', async () => {
  await using host = await PackageHost.start()
  const check = checking(host.root)
  await check()
  for (const step of [
    ['install', '-t', 'bookworm', ...host.packages],
    ['install', ...host.packages],
    ['remove', 'nginx-light', 'cron'],
    ['purge', '--auto-remove', ...host.packages],
  ]) {
    host.apt(...step)
    expect([step[0], tell(await check())]).toEqual([step[0], []])
  }
})
