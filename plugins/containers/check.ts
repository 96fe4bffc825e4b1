import type { Blind, CheckContext, Fact, Finding, Report } from '../../agent/contract/mod.ts'
import { lookAtCompose } from './compose/look.ts'
import type { Config } from './config.ts'
import { type EngineView, findSockets, labelsOf, lookAtEngine } from './engine/look.ts'
import { inapplicableRules } from './inapplicable.ts'
import { judgeContainer } from './judge/container.ts'
import { judgeImageAge } from './judge/image-age.ts'
import { judgeStale } from './judge/stale.ts'
import { CONTAINER_RULES, RUNNING_RULES } from './rules.ts'
import { checkSystem } from './system/check.ts'

const OF_CONTAINERS = Object.keys(CONTAINER_RULES)
const OF_ENGINES = [...OF_CONTAINERS, ...Object.keys(RUNNING_RULES)]

export async function checkContainers(ctx: CheckContext<Config>): Promise<Report> {
  const { config, host, signal } = ctx
  const blind: Blind[] = []
  const sockets = findSockets(host, config.sockets, (subject, reason) =>
    blind.push({ subject, reason, rules: [...OF_ENGINES, 'socket-open'] }),
  )
  const labels = labelsOf(sockets)
  const asking = { rules: OF_ENGINES, timeoutMs: config.answerTimeout, signal }
  const looks = await Promise.all(
    sockets.map((socket, index) => lookAtEngine(host, socket, labels[index] ?? socket.path, asking)),
  )
  blind.push(...looks.flatMap((look) => look.blind))
  const engines = looks.flatMap(({ view }) => view ?? [])
  const compose = lookAtCompose(host, config.compose, OF_CONTAINERS)
  blind.push(...compose.blind)

  const findings: Finding[] = []
  for (const service of compose.services) {
    const judged = judgeContainer(service, config)
    findings.push(...judged.findings)
    blind.push(...judged.blind)
  }
  for (const engine of engines) {
    const judged = judgeEngine(engine, ctx)
    findings.push(...judged.findings)
    blind.push(...judged.blind)
  }
  const system = checkSystem(ctx, sockets, engines)
  findings.push(...system.findings)
  blind.push(...system.blind)
  return {
    findings: unique(findings),
    blind,
    inapplicable: inapplicableRules({
      config,
      isInstalled: system.isInstalled,
      hasGroup: system.hasGroup,
      hasSockets: sockets.length > 0 || blind.some(({ rules }) => rules?.includes('image-old')),
      hasComposeFiles: compose.files > 0,
      hasRootlessUsers: system.rootlessUsers.length > 0,
    }),
    facts: engines.flatMap(factsOf),
    metrics: engines.map(({ traits, containers }) => ({
      name: 'containers',
      value: containers.length,
      labels: { engine: traits.label },
      help: 'Containers of an engine, stopped ones too',
    })),
    coverage: {
      examined:
        compose.services.length + engines.reduce((sum, { containers }) => sum + containers.length, 0) + 1,
      skipped: 0,
    },
  }
}

function judgeEngine(
  { traits, containers }: EngineView,
  { config, now }: CheckContext<Config>,
): { findings: Finding[]; blind: Blind[] } {
  const nowMs = now.getTime()
  const parts = containers.map(({ settings, container, image }) => {
    const judged = judgeContainer(settings, config)
    const isMeant = (rule: 'image-old' | 'container-stale') => config.hardening.includes(rule)
    const age = isMeant('image-old')
      ? judgeImageAge(settings.subject, settings.image, image, { ...config, nowMs })
      : { findings: [], blind: [] }
    const stale = isMeant('container-stale')
      ? judgeStale(settings.subject, traits.program, container, { ...config, nowMs })
      : []
    return {
      findings: [...judged.findings, ...age.findings, ...stale],
      blind: [...judged.blind, ...age.blind],
    }
  })
  return { findings: parts.flatMap(({ findings }) => findings), blind: parts.flatMap(({ blind }) => blind) }
}

/** Tasks of one service of a swarm have one name: of what they share one finding is enough. */
function unique(findings: Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [`${finding.rule}\0${finding.subject}`, finding])).values()]
}

function factsOf({ traits, containers }: EngineView): Fact[] {
  const facts = containers.map(({ settings, container }) => ({
    kind: 'container',
    subject: settings.subject,
    data: {
      image: settings.image,
      state: container.State.Status,
      user: settings.user,
      privileged: settings.privileged,
      network: settings.network,
      rootless: traits.isRootless,
      ports: settings.ports
        .map(({ address, port, protocol }) => `${address || '*'}:${port ?? '?'}/${protocol}`)
        .join(', '),
    },
  }))
  return [...new Map(facts.map((fact) => [fact.subject, fact])).values()]
}
