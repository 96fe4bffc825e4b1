import type { Blind, CheckContext, Fact, Finding, Report } from '../../agent/contract/mod.ts'
import { lookAtCompose } from './compose/look.ts'
import type { Config } from './config.ts'
import { type EngineSocket, type EngineView, findSockets, labelsOf, lookAtEngine } from './engine/look.ts'
import { lookAtStorage, type StorageView } from './engine/podman-storage.ts'
import { inapplicableRules } from './inapplicable.ts'
import { judgeContainer } from './judge/container.ts'
import { judgeImageAge } from './judge/image-age.ts'
import { judgeStale } from './judge/stale.ts'
import { CONTAINER_RULES, RUNNING_RULES } from './rules.ts'
import type { ContainerSettings } from './settings.ts'
import { checkSystem } from './system/check.ts'
import { findProgram } from './system/look.ts'

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
  const engines = looks.flatMap(({ view }) => view ?? [])
  // A socket of Podman that may not be opened is as good as none: its storage tells.
  const open = sockets.filter((_, index) => !looks[index]?.isDenied)
  const storages = lookAtStorages(ctx, open, (subject, reason) =>
    blind.push({ subject, reason, rules: OF_ENGINES }),
  )
  const isStored = (label: string | undefined) => storages.some((storage) => storage.label === label)
  blind.push(
    ...looks.flatMap(({ blind, isDenied }, index) => (isDenied && isStored(labels[index]) ? [] : blind)),
  )
  blind.push(...storages.flatMap((storage) => storage.blind))
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
  for (const storage of storages) {
    const judged = judgeStorage(storage, ctx)
    findings.push(...judged.findings)
    blind.push(...judged.blind)
  }
  const system = checkSystem(ctx, sockets, engines, OF_ENGINES)
  findings.push(...system.findings)
  blind.push(...system.blind)
  return {
    findings: unique(findings),
    blind,
    inapplicable: inapplicableRules({
      config,
      isInstalled: system.isInstalled,
      hasGroup: system.hasGroup,
      hasSockets: sockets.length > 0,
      hasContainers:
        sockets.length > 0 || storages.length > 0 || blind.some(({ rules }) => rules === OF_ENGINES),
      hasComposeFiles: compose.files > 0,
      hasRootlessUsers: system.rootlessUsers.length > 0,
    }),
    facts: [...engines.flatMap(factsOf), ...storages.flatMap(storedFacts)],
    metrics: engines.map(({ traits, containers }) => ({
      name: 'containers',
      value: containers.length,
      labels: { engine: traits.label },
      help: 'Containers of an engine, stopped ones too',
    })),
    coverage: {
      examined:
        compose.services.length +
        [...engines, ...storages].reduce((sum, { containers }) => sum + containers.length, 0) +
        1,
      skipped: 0,
    },
  }
}

/** Of Podman where it has no socket: what stands in its storage. */
function lookAtStorages(
  { config, host }: CheckContext<Config>,
  sockets: EngineSocket[],
  dark: (subject: string, reason: string) => void,
): StorageView[] {
  // Where there is no Podman, a directory that nobody may look into holds none of its storage.
  const onBlind = findProgram(host, 'podman') === undefined ? () => {} : dark
  const isHeard = (user: string | undefined) =>
    sockets.some((socket) => socket.path.includes('podman') && socket.user === user)
  return config.podmanStorage
    .flatMap((pattern) => host.glob(pattern, onBlind))
    .flatMap(({ path, uid, type }) => {
      const user = uid === 0 ? undefined : host.userName(uid)
      if (type !== 'directory' || isHeard(user)) return []
      return lookAtStorage(host, path, { user, rules: OF_ENGINES }) ?? []
    })
}

function judgeStorage(
  { label, containers }: StorageView,
  { config, now }: CheckContext<Config>,
): { findings: Finding[]; blind: Blind[] } {
  const hardening = config.hardening.filter((rule) => !NOT_STORED.includes(rule))
  const unseen = config.hardening.filter((rule) => NOT_STORED.includes(rule))
  const reason =
    'its storage tells of no published ports, networks and labels, and no socket does: systemctl enable --now podman.socket'
  const parts = containers.map(({ settings, image }) => {
    const judged = judgeContainer(settings, { ...config, hardening, dns: [] })
    if (!hardening.includes('image-old')) return judged
    const age = judgeImageAge(settings.subject, settings.image, image, { ...config, nowMs: now.getTime() })
    return { findings: [...judged.findings, ...age.findings], blind: [...judged.blind, ...age.blind] }
  })
  return {
    findings: parts.flatMap(({ findings }) => findings),
    blind: [
      ...parts.flatMap(({ blind }) => blind),
      ...(unseen.length === 0 ? [] : [{ subject: label, reason, rules: unseen }]),
    ],
  }
}

const NOT_STORED: string[] = ['published-everywhere', 'default-network', 'container-stale']

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

function factsOf({ containers }: EngineView): Fact[] {
  const facts = containers.map(({ settings, container }) => factOf(settings, container.State.Status))
  return [...new Map(facts.map((fact) => [fact.subject, fact])).values()]
}

function storedFacts({ containers }: StorageView): Fact[] {
  return containers.map(({ settings }) => factOf(settings, null))
}

function factOf(settings: ContainerSettings, state: string | null): Fact {
  const { subject, image, user, privileged, network, isRootless, ports } = settings
  const published = ports.map(({ address, port, protocol }) => `${address || '*'}:${port ?? '?'}/${protocol}`)
  return {
    kind: 'container',
    subject,
    data: { image, state, user, privileged, network, rootless: isRootless, ports: published.join(', ') },
  }
}
