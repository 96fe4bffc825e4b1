import { expect, setDefaultTimeout } from 'bun:test'
import { join } from 'node:path'
import { reeveBinary } from '../kit/binary.ts'
import { testWith } from '../kit/needs.ts'
import { Workspace } from '../kit/workspace.ts'

setDefaultTimeout(60_000)

const CHILD = join(import.meta.dir, 'network-exposure-child.ts')
const live = testWith({
  root: true,
  programs: ['unshare', 'ip', 'nft'],
  reason:
    Bun.spawnSync(['unshare', '--net', 'true']).exitCode === 0 ? undefined : 'no network namespaces here',
})

/** Runs the job in a network namespace of its own, behind these rules of nft, while something listens. */
async function look(rules: string, listen: { hostname: string; port: number }[], config: object) {
  await using host = new Workspace({ jobs: { exposure: { plugin: 'network-exposure', config } } })
  const run = [reeveBinary(), 'run', 'exposure', '--config', host.config, '--json']
  const child = host.start(['unshare', '--net', process.execPath, CHILD], {
    stdin: JSON.stringify({ rules, listen, run }),
  })
  const [stderr] = await Promise.all([child.stderr.text(), child.stdout.text(), child.exited])
  const findings: { rule: string; subject: string; severity: string; summary: string }[] = JSON.parse(
    (await host.reeve(['findings', '--json'])).stdout,
  )
  return { stderr, found: findings.map(({ rule, subject }) => `${rule} ${subject}`).toSorted(), findings }
}

const EVERYWHERE = [
  { hostname: '0.0.0.0', port: 8888 },
  { hostname: '127.0.0.1', port: 3306 },
  { hostname: '::', port: 9090 },
]

live('a port on every address is exposed where nothing filters, and one of the loopback is not', async () => {
  const { found, stderr, findings } = await look('', EVERYWHERE, {
    firewall: 'required',
    allow: [
      { port: 8888, reach: 'private' },
      { port: 3306, reach: 'loopback' },
    ],
  })
  expect({ found, stderr }).toEqual({
    found: ['exposed tcp/8888', 'no-firewall packet filter', 'unexpected-listener tcp/9090'],
    stderr: '',
  })
  expect(findings.find(({ rule }) => rule === 'exposed')).toMatchObject({ severity: 'critical' })
})

live(
  'a filter that lets in one source makes a port private, and what it forgets over IPv6 is found',
  async () => {
    const rules = `
    table ip filter {
      chain input {
        type filter hook input priority 0; policy drop;
        iifname "lo" accept
        ct state established,related accept
        ip saddr 192.0.2.77 tcp dport { 8888, 9090 } accept
      }
    }`
    const allow = [
      { port: 8888, reach: 'sources', sources: ['192.0.2.0/24'] },
      { port: 9090, reach: 'sources', sources: ['192.0.2.77'] },
    ]
    const { found } = await look(rules, EVERYWHERE, { allow })
    expect(found).toEqual(['exposed tcp/9090', 'ipv6-less-filtered tcp/9090'])
    const both = await look(rules.replace('table ip filter', 'table inet filter'), EVERYWHERE, {
      allow,
      firewall: 'required',
    })
    expect(both.found).toEqual([])
  },
)
