// Units and processes of a host with many services by the compiled binary, jailed `reeve run`s on a real systemd, with
// systemd's own programs as the yardstick. Needs root and what the tests on a real systemd need:
//
//     bun scripts/bench/units.ts [--units 300]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SystemdHost, whyNoSystemdHost } from '../../tests/kit/systemd-host/host.ts'
import { fastest, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({ options: { units: { type: 'string', default: '300' } } })
const units = Number(values.units)
/** Wanted: at most so many seconds of the processor and bytes, for both jobs. */
const WANTED = { cpuSeconds: 1, bytes: 200_000_000 }

const reason = whyNoSystemdHost()
if (reason) throw new Error(reason)
const base = mkdtempSync(join(tmpdir(), 'reeve-bench-units-'))
const build = Bun.spawnSync([
  process.execPath,
  join(import.meta.dir, '../build.ts'),
  '--outfile',
  join(base, 'reeve'),
])
if (build.exitCode !== 0) throw new Error(build.stderr.toString())
const host = await SystemdHost.boot('bench', { mounts: { [base]: '/mnt' } })
try {
  await makeUnits()
  const loaded = (await host.peek('sh', '-c', 'systemctl list-units --all --no-legend | wc -l')).stdout.trim()
  const running = (await host.peek('sh', '-c', 'ls -d /proc/[0-9]* | wc -l')).stdout.trim()
  console.log(
    `${units} services of our own, ${loaded} units loaded, ${running} processes; fastest of several`,
  )
  const inside = (...command: string[]) => fastest(3, () => measure(host.inside(...command)))
  const run = (job: string) => inside('/mnt/reeve', 'run', job, '--config', '/root/bench/reeve.yaml')
  const ours = [await run('units'), await run('named'), await run('processes')]
  const names = [
    'units, as in the baseline',
    'units, 20 named with hardening',
    'processes, as in the baseline',
  ]
  for (const [index, name] of names.entries()) say(`reeve run: ${name}`, ours[index])
  const one = await inside('sh', '-c', 'systemctl show "*" >/dev/null')
  say('systemctl show "*"', one)
  const each = 'for i in $(seq 50); do systemctl show app$i.service >/dev/null; done'
  say('systemctl show, 50 calls', await inside('sh', '-c', each))
  const security = await inside('sh', '-c', 'systemd-analyze security --no-pager >/dev/null')
  say('systemd-analyze security, all units', security)
  const cpuSeconds = (ours[0]?.cpuSeconds ?? 0) + (ours[2]?.cpuSeconds ?? 0)
  const bytes = Math.max(...ours.map(({ rssBytes }) => rssBytes))
  const isGood = cpuSeconds <= WANTED.cpuSeconds && bytes <= WANTED.bytes
  console.log(
    `wanted at most ${WANTED.cpuSeconds} s of the processor for both and ${WANTED.bytes / 1e6} MB: ` +
      `${isGood ? 'reached' : 'NOT reached'} (${(cpuSeconds / WANTED.cpuSeconds).toFixed(2)} and ${(bytes / WANTED.bytes).toFixed(2)} of it)`,
  )
} finally {
  await host[Symbol.asyncDispose]()
  rmSync(base, { recursive: true })
}

function say(name: string, measurement: Measurement | undefined): void {
  if (!measurement) return
  console.log(
    `${formatMeasurement(name, measurement)}   ${measurement.cpuSeconds.toFixed(2)} s of the processor`,
  )
}

async function makeUnits(): Promise<void> {
  const named = Array.from({ length: 20 }, (_, index) => ({
    unit: `app${index + 1}.service`,
    hardening: {},
    user: '*',
  }))
  const settings = {
    stateDir: '/root/bench/state',
    jobs: {
      units: { plugin: 'systemd-units' },
      named: { plugin: 'systemd-units', config: { units: named } },
      processes: { plugin: 'processes' },
    },
  }
  const script = `
    mkdir -p -m 700 /root/bench
    cat > /root/bench/reeve.yaml <<'END'
${JSON.stringify(settings)}
END
    chmod 600 /root/bench/reeve.yaml
    for i in $(seq ${units}); do
      printf '[Service]\\nExecStart=/usr/bin/sleep infinity\\nExecReload=/bin/true\\n' > /etc/systemd/system/app$i.service
    done
    systemctl daemon-reload
    systemctl start --no-block $(seq -f 'app%.0f.service' ${units})
    until [ "$(systemctl list-units --no-legend --state=running 'app*' | wc -l)" -eq ${units} ]; do sleep 0.2; done`
  const { exitCode, stderr } = await host.peek('sh', '-c', script)
  if (exitCode !== 0) throw new Error(stderr)
}
