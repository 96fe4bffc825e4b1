import { X509Certificate } from 'node:crypto'
import {
  type Blind,
  type CheckContext,
  describeError,
  errnoOf,
  type Finding,
  type HttpAnswer,
  type Inapplicable,
  type Metric,
  type Report,
} from '../../agent/contract/mod.ts'
import type { Config, Probe } from './config.ts'
import { type Judged, judgeAnswer } from './judge.ts'
import { type RuleId, rules, rulesOf } from './rules.ts'
import { portOf, requestsOf } from './target.ts'

/** So that many that do not answer cost the time of a few. */
const PROBES_AT_ONCE = 10
const MAX_ADDRESSES = 8
const MAX_FILE_BYTES = 1024 * 1024

type Context = CheckContext<Config>

interface Result extends Judged {
  probe: Probe
  /** Nothing is there to be asked, and the probe says that this is in order: why. */
  absent?: string | undefined
  answer?: HttpAnswer | undefined
}

export async function checkProbes(ctx: Context): Promise<Report> {
  const { probes } = ctx.config
  const results: Result[] = []
  const queue = probes.entries()
  const work = async () => {
    for (const [index, probe] of queue) {
      ctx.signal.throwIfAborted()
      results[index] = await run(ctx, probe)
      ctx.progress(index + 1, probes.length, 'probes')
    }
  }
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, work))
  const { blind, inapplicable } = settleAbsent(results)
  return {
    findings: results.flatMap(({ findings }) => findings),
    blind: [...results.flatMap((result) => result.blind), ...blind],
    inapplicable,
    metrics: results.flatMap(metricsOf),
    coverage: { examined: results.filter(({ absent }) => absent === undefined).length, skipped: 0 },
  }
}

/**
 * A rule does not apply when every probe that could judge it has nothing to ask. Where another probe judges it, what
 * was not asked is dark: it must not pass with the other.
 */
function settleAbsent(results: Result[]): { blind: Blind[]; inapplicable: Inapplicable[] } {
  const judged = new Set(results.flatMap(({ probe, absent }) => (absent === undefined ? rulesOf(probe) : [])))
  const inapplicable = new Map<string, string>()
  const blind = results.flatMap(({ probe, absent }): Blind[] => {
    if (absent === undefined) return []
    const own = rulesOf(probe)
    for (const rule of own) if (!judged.has(rule)) inapplicable.set(rule, `${probe.name}: ${absent}`)
    const dark = own.filter((rule) => judged.has(rule))
    return dark.length > 0 ? [{ subject: probe.name, reason: absent, rules: dark }] : []
  })
  const asked = new Set<string>(results.flatMap(({ probe }) => rulesOf(probe)))
  for (const rule of Object.keys(rules))
    if (!asked.has(rule)) inapplicable.set(rule, 'no probe of the job asks for it')
  return { blind, inapplicable: [...inapplicable].map(([rule, reason]) => ({ rule, reason })) }
}

async function run(ctx: Context, probe: Probe): Promise<Result> {
  const requests = requestsOf(probe, probe.connectTo === 'this-host' ? ctx.host.addresses() : [])
  if (requests.length === 0) {
    return { probe, findings: [], blind: [], absent: 'this host has no address but the loopback' }
  }
  const results: Result[] = []
  for (const request of requests.slice(0, MAX_ADDRESSES)) results.push(await ask(ctx, probe, request))
  const served = await compareCertificate(ctx, probe)
  const all = [...results, ...(served ? [served] : [])]
  const down = results.filter(({ absent }) => absent !== undefined)
  return {
    probe,
    findings: onlyFirst(all.flatMap(({ findings }) => findings)),
    blind: all.flatMap(({ blind }) => blind),
    absent: down.length === results.length ? down[0]?.absent : undefined,
    answer: results.find(({ answer }) => answer)?.answer,
  }
}

async function ask(
  ctx: Context,
  probe: Probe,
  { url, connectTo }: ReturnType<typeof requestsOf>[number],
): Promise<Result> {
  const result: Result = { probe, findings: [], blind: [] }
  const shown = withoutQuery(url)
  const finding = (rule: RuleId, summary: string, remedy: string): Finding => ({
    rule,
    subject: probe.name,
    severity: rules[rule].severity,
    summary,
    remedy,
    evidence: { url: shown },
  })
  const dark = (reason: string): Result => ({
    ...result,
    blind: [{ subject: probe.name, reason, rules: rulesOf(probe) }],
  })
  try {
    const secrets = Object.entries(probe.secretHeaders).map(
      ([name, { secret, prefix }]): [string, string] => [name, prefix + ctx.secret(secret)],
    )
    const answer = await ctx.host.request({
      url,
      connectTo,
      method: probe.method,
      headers: { ...probe.headers, ...Object.fromEntries(secrets) },
      body: probe.body,
      timeoutMs: probe.timeout,
      maxBodyBytes: probe.maxBytes,
      authorities:
        probe.authority && ctx.host.readText(probe.authority, { maxBytes: MAX_FILE_BYTES, follow: true }),
      signal: ctx.signal,
    })
    return { probe, ...judgeAnswer(probe, shown, answer), answer }
  } catch (error) {
    ctx.signal.throwIfAborted()
    const code = errnoOf(error)
    if (code === 'EUNTRUSTED') {
      const remedy =
        'Serve a certificate of a trusted authority, or name the one that signed it as `authority`'
      const untrusted = finding('untrusted-certificate', `${shown}: ${faultOf(error)}`, remedy)
      const others = rulesOf(probe).filter((rule) => rule !== 'untrusted-certificate')
      const reason = 'nothing is asked of a server that is not to be trusted'
      return { ...result, findings: [untrusted], blind: [{ subject: probe.name, reason, rules: others }] }
    }
    if (code !== 'ECONNREFUSED') return dark(describeError(error))
    // Nothing that listens is hidden well.
    if (probe.expects === 'hidden') return result
    const reason = `nothing listens on port ${portOf(probe)}`
    if (probe.whenDown === 'inapplicable') return { ...result, absent: reason }
    if (probe.whenDown === 'blind') return dark(reason)
    const remedy = 'Start the service, or take the probe out: systemctl --failed'
    const others = rulesOf(probe).filter((rule) => rule !== 'not-answering')
    return {
      ...result,
      findings: [finding('not-answering', `${shown}: ${reason}`, remedy)],
      blind: [{ subject: probe.name, reason, rules: others }],
    }
  }
}

/** "Cannot ask "127.0.0.1:443": its certificate has expired", without what was tried. */
function faultOf(error: unknown): string {
  return describeError(error).split(': ').at(-1) ?? ''
}

/** What stands behind the path may be a secret. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** Whether the certificate that is served is the first one of its file. */
async function compareCertificate(ctx: Context, probe: Probe): Promise<Result | undefined> {
  const { certificate: path, name } = probe
  if (path === undefined) return undefined
  const result: Result = { probe, findings: [], blind: [] }
  const [request] = requestsOf(probe, probe.connectTo === 'this-host' ? ctx.host.addresses() : [])
  const url = new URL(request?.url ?? probe.url)
  const host = request?.connectTo ?? url.hostname.replace(/^\[(.*)\]$/, '$1')
  try {
    const own = new X509Certificate(ctx.host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true }))
    const { certificates } = await ctx.host.handshake({
      host,
      port: portOf(probe),
      serverName: url.hostname,
      timeoutMs: probe.timeout,
      signal: ctx.signal,
    })
    const [served] = certificates.map((der) => new X509Certificate(der))
    if (!served || served.fingerprint256 === own.fingerprint256) return result
    const until = (one: X509Certificate) => new Date(one.validTo).toISOString().slice(0, 10)
    return {
      ...result,
      findings: [
        {
          rule: 'old-certificate-served',
          subject: name,
          severity: 'warning',
          summary: `${withoutQuery(probe.url)} serves the certificate ${served.serialNumber} until ${until(served)}, ${path} has ${own.serialNumber} until ${until(own)}`,
          remedy: 'Have the service load it: systemctl reload-or-restart UNIT',
          evidence: { path, served: served.serialNumber, file: own.serialNumber },
        },
      ],
    }
  } catch (error) {
    ctx.signal.throwIfAborted()
    // Where nothing listens the request has said so already.
    const isDown =
      errnoOf(error) === 'ECONNREFUSED' || (error instanceof Error && errnoOf(error.cause) === 'ECONNREFUSED')
    if (isDown) return result
    return {
      ...result,
      blind: [{ subject: name, reason: describeError(error), rules: ['old-certificate-served'] }],
    }
  }
}

/** Rule and subject are the identity of a finding. */
function onlyFirst(findings: Finding[]): Finding[] {
  return [...new Map(findings.toReversed().map((finding) => [finding.rule, finding])).values()].toReversed()
}

function metricsOf({ probe: { name }, answer }: Result): Metric[] {
  if (!answer) return []
  const labels = { probe: name }
  return [
    { name: 'http_probe_status', value: answer.status, labels, help: 'Status of the answer to a probe' },
    {
      name: 'http_probe_seconds',
      value: answer.durationMs / 1000,
      labels,
      help: 'Time that the answer took',
    },
  ]
}
