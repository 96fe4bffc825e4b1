import type { CheckContext, Fact, Finding, Inapplicable, Report } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { admit } from './firewall/filter.ts'
import { judgePort, type OpenPort } from './judge.ts'
import { lookAtNetwork, type Network } from './look.ts'
import { openPorts } from './open-ports.ts'
import { enableFirewall } from './remedy.ts'

export async function checkExposure({ config, host, signal }: CheckContext<Config>): Promise<Report> {
  const network = await lookAtNetwork(host, config, signal)
  const ports = openPorts(network, host)
  const findings = ports.flatMap((port) => judgePort(port, config, network.manager))
  if (config.firewall === 'required') findings.push(...judgeFirewall(network))
  return {
    findings,
    blind: network.blind,
    inapplicable: inapplicableRules(config),
    facts: ports.map(factOf),
    metrics: [
      {
        name: 'open_ports',
        value: ports.filter(({ reached }) => reached.reach !== 'loopback').length,
        help: 'Ports that can be reached from elsewhere',
      },
    ],
    coverage: { examined: network.listeners.length, skipped: 0 },
  }
}

/** Rules that the job does not ask for: they are neither right nor wrong. */
function inapplicableRules({ firewall, allow }: Config): Inapplicable[] {
  const rules: Inapplicable[] = []
  if (firewall === 'optional') {
    rules.push({ rule: 'no-firewall', reason: 'the job does not require a packet filter (firewall)' })
  }
  if (!allow.some(({ rateLimited }) => rateLimited)) {
    rules.push({
      rule: 'not-rate-limited',
      reason: 'the job wants no port to be limited (allow.rateLimited)',
    })
  }
  return rules
}

function judgeFirewall({ filters, listeners, manager }: Network): Finding[] {
  const isOpen = ([4, 6] as const).filter((family) => {
    if (family === 6 && !listeners.some((listener) => listener.family === 6)) return false
    // A port that nobody names in a rule: where it gets through, what comes in is not filtered.
    const packet = { protocol: 'tcp', family, port: 64_999 } as const
    return filters.every((filter) => admit(filter, packet).anyone)
  })
  if (isOpen.length === 0) return []
  return [
    {
      rule: 'no-firewall',
      subject: 'packet filter',
      severity: 'warning',
      summary: `What comes in over ${isOpen.map((family) => `IPv${family}`).join(' and ')} is not filtered${manager.isIdle ? `: ${manager.name} is installed and not switched on` : ''}`,
      remedy: enableFirewall(manager),
    },
  ]
}

function factOf({ protocol, port, addresses, unit, processes, user, reached, isPublished }: OpenPort): Fact {
  return {
    kind: 'open-port',
    subject: `${protocol}/${port}`,
    data: {
      addresses: addresses.join(', '),
      unit: unit ?? null,
      processes: processes.join(', '),
      user,
      reach: reached.reach,
      published: isPublished,
    },
  }
}
