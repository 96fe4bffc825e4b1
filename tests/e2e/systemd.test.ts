import { afterAll, beforeAll, expect, setDefaultTimeout } from 'bun:test'
import { basename, dirname } from 'node:path'
import { z } from 'zod'
import { releaseArchive } from '../kit/binary.ts'
import { testWith } from '../kit/needs.ts'
import { SystemdHost, whyNoSystemdHost } from '../kit/systemd-host/host.ts'
import { waitUntil } from '../kit/wait.ts'

// The installed service on a real systemd. One host for all tests, in their order: each leaves the service running
// and its configuration as installed.

setDefaultTimeout(120_000)

const reason = whyNoSystemdHost()
const test = testWith({ reason })
const WAIT_MS = 20_000
const INSTALLER = '/root/release/install.sh'

let host: SystemdHost
let archive: string
let token: string
let filesBefore: string[]

beforeAll(async () => {
  if (reason) return
  archive = releaseArchive()
  host = await SystemdHost.boot('service', { mounts: { [dirname(archive)]: '/mnt' } })
  await shell(
    `mkdir /root/release && tar -xzf /mnt/${basename(archive)} -C /root/release --strip-components=1`,
  )
  filesBefore = await systemFiles()
  const output = await host.succeed(INSTALLER)
  token = /^ {2}(reeve_[0-9a-f]{64})$/m.exec(output)?.[1] ?? ''
})
afterAll(() => host?.[Symbol.asyncDispose]())

const shell = (script: string) => host.succeed('sh', '-c', script)

async function property(name: string, unit = 'reeve.service'): Promise<string> {
  return (await host.succeed('systemctl', 'show', '--property', name, '--value', unit)).trim()
}

async function api(path: string): Promise<{ status: number; body: unknown }> {
  const { stdout } = await host.run(
    ...['curl', '--silent', '--header', `Authorization: Bearer ${token}`, '--write-out', '\n%{http_code}'],
    `http://127.0.0.1:7338${path}`,
  )
  const [, body = '', status] = /^([\s\S]*)\n(\d+)$/.exec(stdout) ?? []
  return { status: Number(status), body: body === '' ? undefined : JSON.parse(body) }
}

/** Everything that a package or an administrator would call installed. */
async function systemFiles(): Promise<string[]> {
  const list = await shell('find /etc /usr /opt /home /root /srv /var/lib -xdev | sort')
  // Kept by the account tools and by systemd itself.
  const noise =
    /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$|^\/etc\/\.pwd\.lock|^\/var\/lib\/systemd|^\/root\/release/
  return list.split('\n').filter((path) => path !== '' && !noise.test(path))
}

/** Adds a configuration file of its own, for as long as the test runs, and lets the service take it up. */
async function withJobs(yaml: string, body: () => Promise<void>): Promise<void> {
  await shell(
    `cat > /etc/reeve/conf.d/test.yaml <<'END'\n${yaml}\nEND\nchgrp reeve /etc/reeve/conf.d/test.yaml; chmod 0640 /etc/reeve/conf.d/test.yaml`,
  )
  try {
    await applyConfiguration()
    await body()
  } finally {
    await host.run('rm', '-f', '/etc/reeve/conf.d/test.yaml')
    await applyConfiguration()
  }
}

/** What the header of the drop-in says to do after a change of what jobs may do. */
const applyConfiguration = () =>
  shell(
    'reeve config unit > /etc/systemd/system/reeve.service.d/10-jobs.conf && systemctl daemon-reload && systemctl restart reeve',
  )

const runSchema = z.array(
  z.looseObject({ job: z.string(), outcome: z.string(), trigger: z.string(), reason: z.string().nullable() }),
)

async function runs(job: string) {
  return runSchema.parse(
    JSON.parse(await host.succeed('reeve', 'runs', '--job', job, '--limit', '500', '--json')),
  )
}

test('install.sh starts a service that is ready, enabled and its own user', async () => {
  expect(await property('ActiveState')).toBe('active')
  expect(await property('UnitFileState')).toBe('enabled')
  expect(await property('User')).toBe('reeve')
  expect((await api('/readyz')).status).toBe(200)
  expect(await shell('getent passwd reeve')).toMatch(/^reeve:x:\d{1,3}:\d{1,3}:.*:\/usr\/sbin\/nologin\n$/)
  expect(await shell('stat -c "%a %U:%G" /etc/reeve/reeve.yaml /var/lib/reeve /run/reeve/reeve.sock')).toBe(
    '640 root:reeve\n700 reeve:reeve\n660 reeve:reeve\n',
  )
})

test('install.sh shows a token that works, of which only the hash is kept', async () => {
  expect(token).not.toBe('')
  expect((await api('/v1/jobs')).status).toBe(200)
  const { exitCode } = await host.run(
    'grep',
    '--recursive',
    '--quiet',
    '--text',
    token,
    '/var/lib/reeve',
    '/etc',
  )
  expect(exitCode).toBe(1)
})

test('reeve.service tells systemd when it is ready, and is well confined', async () => {
  expect(await property('Type')).toBe('notify')
  expect(await property('NotifyAccess')).toBe('main')
  expect(await property('StatusText')).toContain('http://127.0.0.1:7338')
  // Ready means ready: the very next request is answered.
  await shell('systemctl restart reeve && curl --silent --fail http://127.0.0.1:7338/readyz')

  expect(await host.run('systemd-analyze', 'verify', '/etc/systemd/system/reeve.service')).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  })
  const offline = await shell('systemd-analyze security --offline=true /etc/systemd/system/reeve.service')
  for (const report of [offline, await shell('systemd-analyze security reeve.service')]) {
    const exposure = /Overall exposure level for reeve.service: ([\d.]+)/.exec(report)?.[1]
    expect(Number(exposure)).toBeLessThanOrEqual(2.5)
  }
})

test('the jobs are jailed under the system call filter of the unit', async () => {
  await shell('reeve run --all --threshold critical')
  const { body } = await api('/v1/status')
  expect(body).toMatchObject({ sandbox: { unconfined: 0 } })
  expect(body).toMatchObject({ jobs: { failed: 0, blind: 0, refused: 0 } })
})

test('reeve.service may write in its own directories and nowhere else', async () => {
  // The unit as it is, but for what it starts; directories that the file modes alone would let it write.
  await shell(`
    mkdir --mode=0777 /srv/open && touch /home/file && chmod 0666 /home/file
    cat > /root/probe <<'END'
      for path in /srv/open/x /home/file /etc/x /usr/x /var/lib/reeve/x /run/reeve/x; do
        if (echo x > $path) 2>/dev/null; then echo "$path written"; else echo "$path refused"; fi
      done
      unshare --user true 2>/dev/null && echo 'namespace made' || echo 'namespace refused'
      test -e /root/hidden && echo 'temporary files of others seen' || true
      head -c 1 /etc/shadow >/dev/null && echo 'everything read'
END
    cd /etc/systemd/system
    sed -e 's|^Type=.*|Type=oneshot|' -e 's|^ExecStart=.*|ExecStart=/bin/sh /root/probe|' \\
      -e '/^WatchdogSec/d; /^NotifyAccess/d; /^Restart/d; /^\\[Install\\]/,$d' reeve.service > probe.service
    cp -r reeve.service.d probe.service.d
    systemctl daemon-reload
    systemctl start probe.service`)
  const output = await shell('journalctl --output=cat _SYSTEMD_UNIT=probe.service')
  await shell('rm -rf /etc/systemd/system/probe.service* /srv/open /home/file; systemctl daemon-reload')
  await shell('rm -f /var/lib/reeve/x /root/probe; systemctl restart reeve')
  expect(output.trim().split('\n').sort()).toEqual(
    [
      '/srv/open/x refused',
      '/home/file refused',
      '/etc/x refused',
      '/usr/x refused',
      '/var/lib/reeve/x written',
      '/run/reeve/x written',
      'namespace refused',
      'everything read',
    ].sort(),
  )
})

test('a job writes what it declares and nothing else', async () => {
  await shell('mkdir --mode=0777 /srv/declared /srv/other')
  const jobs = `jobs:
  writer:
    plugin: command
    schedule: manual
    mode: enforce
    config:
      kind: action
      argv: [/bin/sh, -c, 'echo x > /srv/declared/x; echo x > /srv/other/x']
      permissions: { write: [/srv/declared] }`
  await withJobs(jobs, async () => {
    await host.run('reeve', 'run', 'writer')
    expect(await shell('ls /srv/declared /srv/other')).toBe('/srv/declared:\nx\n\n/srv/other:\n')
    expect((await runs('writer'))[0]?.outcome).not.toBe('clean')
  })
  await shell('rm -r /srv/declared /srv/other')
})

test('a daemon that hangs is killed by the watchdog and started again', async () => {
  await shell(
    `printf '[Service]\\nWatchdogSec=2s\\nRestartSec=100ms\\n' > /etc/systemd/system/reeve.service.d/90-test.conf
     systemctl daemon-reload && systemctl restart reeve`,
  )
  const hanging = await property('MainPID')
  await host.run('kill', '-STOP', hanging)
  await waitUntil('another daemon is active', WAIT_MS, async () => {
    const [state, pid] = await Promise.all([property('ActiveState'), property('MainPID')])
    return state === 'active' && pid !== hanging && pid !== '0'
  })
  expect(await property('NRestarts')).toBe('1')
  expect(await shell('journalctl --output=cat --unit=reeve.service')).toContain('Watchdog timeout')
  expect((await api('/readyz')).status).toBe(200)
  await shell(
    'rm /etc/systemd/system/reeve.service.d/90-test.conf; systemctl daemon-reload; systemctl restart reeve',
  )
})

test('a reload with a bad file keeps the old configuration and says so until it is mended', async () => {
  const before = await api('/v1/jobs')
  const pid = await property('MainPID')
  await shell(`echo 'jbos: {}' > /etc/reeve/conf.d/bad.yaml && chmod 0640 /etc/reeve/conf.d/bad.yaml &&
    chgrp reeve /etc/reeve/conf.d/bad.yaml && systemctl reload reeve`)
  const findings = async () => JSON.stringify((await api('/v1/findings?state=open')).body)
  await waitUntil('the finding is open', WAIT_MS, async () =>
    (await findings()).includes('configuration-refused'),
  )
  expect(await findings()).toContain('bad.yaml:1:1')
  expect(await property('MainPID')).toBe(pid)
  expect(Object.keys(before.body ?? {})).toEqual(Object.keys((await api('/v1/jobs')).body ?? {}))
  expect((await api('/v1/status')).body).not.toMatchObject({ state: 'ok' })

  await shell('rm /etc/reeve/conf.d/bad.yaml && systemctl reload reeve')
  await waitUntil(
    'the finding is resolved',
    WAIT_MS,
    async () => !(await findings()).includes('configuration-refused'),
  )
})

test('a service whose configuration is bad from the start fails and is not started over and over', async () => {
  await shell(`echo 'jbos: {}' > /etc/reeve/conf.d/bad.yaml && chmod 0644 /etc/reeve/conf.d/bad.yaml`)
  expect((await host.run('systemctl', 'restart', 'reeve')).exitCode).not.toBe(0)
  expect(await property('ActiveState')).toBe('failed')
  expect(await property('ExecMainStatus')).toBe('2')
  expect(await shell('journalctl --output=cat --unit=reeve.service --lines=20')).toContain('bad.yaml:1:1')
  await shell('rm /etc/reeve/conf.d/bad.yaml; systemctl reset-failed reeve; systemctl start reeve')
})

test('a power cut in mid-run: the service comes back by itself, the run is "interrupted"', async () => {
  const jobs = `jobs:
  slow:
    plugin: command
    schedule: manual
    config: { argv: [/bin/sleep, "300"] }`
  await withJobs(jobs, async () => {
    await shell('systemd-run --quiet reeve run slow')
    await waitUntil('the run has begun', WAIT_MS, async () => (await shell('pgrep -x sleep || true')) !== '')
    await host.powerCut()
    await host.powerOn()

    expect(await property('ActiveState')).toBe('active')
    expect((await api('/readyz')).status).toBe(200)
    expect(await runs('slow')).toMatchObject([{ outcome: 'interrupted' }])
    expect(await shell('pgrep -x sleep || true')).toBe('')
    // The database is whole, and the next run is a run like any other.
    expect(await shell('reeve doctor || true')).toMatch(/^ok +database:/m)
    await shell('reeve run permissions --threshold critical')
  })
})

test('systemctl stop lets a running job end, and then the daemon', async () => {
  const jobs = `jobs:
  short:
    plugin: command
    schedule: manual
    config: { argv: [/bin/sleep, "3"] }`
  await withJobs(jobs, async () => {
    await shell('systemd-run --quiet reeve run short')
    await waitUntil('the run has begun', WAIT_MS, async () => (await shell('pgrep -x sleep || true')) !== '')
    await shell('systemctl stop reeve')
    expect(await property('Result')).toBe('success')
    expect(await property('ExecMainStatus')).toBe('0')
    expect(await runs('short')).toMatchObject([{ outcome: 'clean' }])
  })
})

test('the second run of install.sh upgrades and keeps configuration, token, runs and jobs', async () => {
  const [pid, before] = [await property('MainPID'), await runs('permissions')]
  await shell(
    'echo "# mine" >> /etc/reeve/reeve.yaml; rm /usr/local/bin/reeve; echo old > /usr/local/bin/reeve',
  )
  const output = await host.succeed(INSTALLER, '--archive', `/mnt/${basename(archive)}`)
  expect(output).not.toContain('reeve_')
  expect(await property('MainPID')).not.toBe(pid)
  expect(await shell('tail -n 1 /etc/reeve/reeve.yaml')).toBe('# mine\n')
  await shell('cmp /usr/local/bin/reeve /root/release/reeve')
  expect((await api('/v1/jobs')).status).toBe(200)
  expect((await runs('permissions')).length).toBeGreaterThanOrEqual(before.length)
  expect((await host.succeed('reeve', 'token', 'list')).match(/^admin /gm)).toHaveLength(1)
})

test('install.sh --timers runs each job in a unit of its own', async () => {
  await host.succeed(INSTALLER, '--timers')
  const timers = await shell('systemctl list-timers --all --no-legend "reeve-*"')
  expect(timers).toContain('reeve-permissions.timer')
  expect(timers).toContain('reeve-credentials.timer')
  const units = await host.run(
    ...['systemd-analyze', 'verify', '/etc/systemd/system/reeve-permissions.service'],
    '/etc/systemd/system/reeve-permissions.timer',
  )
  expect(units).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  const before = await runs('permissions')
  await shell('systemctl start reeve-permissions.service')
  // Just the one run, in the unit: the daemon starts none, not even the one that `runOnStart` asks it for.
  const after = await runs('permissions')
  expect(after).toHaveLength(before.length + 1)
  expect(after[0]).toMatchObject({ trigger: 'timer', sandbox: expect.stringContaining('landlock') })
  expect((await api('/readyz')).status).toBe(200)
})

test('install.sh --uninstall leaves only what --purge takes, and --purge nothing at all', async () => {
  await host.succeed(INSTALLER, '--uninstall')
  const left = (await systemFiles()).filter((path) => !filesBefore.includes(path))
  expect(left.filter((path) => !/^\/(etc|var\/lib)\/reeve(\/|$)/.test(path))).toEqual([])
  expect(left).toContain('/etc/reeve/reeve.yaml')
  expect(left).toContain('/var/lib/reeve/reeve.db')
  expect(await shell('systemctl list-units --all --no-legend "reeve*"; pgrep -x reeve || true')).toBe('')

  await host.succeed(INSTALLER, '--uninstall', '--purge')
  expect((await systemFiles()).filter((path) => !filesBefore.includes(path))).toEqual([])
  expect(await shell('getent passwd reeve; getent group reeve; ls /run/reeve 2>&1; true')).toContain(
    'No such file',
  )
  expect(await shell('getent passwd reeve || getent group reeve || echo gone')).toBe('gone\n')
})
