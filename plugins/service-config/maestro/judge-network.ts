import type { Finding } from '../../../agent/contract/mod.ts'
import { RANK, type Reach, reachOf, reachOfHost } from '../reach.ts'
import { complain } from '../rules.ts'
import { describePlace, type Place } from '../setting.ts'
import type { YamlConfig } from '../yaml-config.ts'
import { type Deployment, RESTART, say } from './deployment.ts'
import { BIND_KEYS } from './keys.ts'

export interface Network {
  reach: Reach
  key: string
  host: string
  place: Place | undefined
}

/** From where it can be reached: by its address, the variable HOST, or the ports of its container. */
export function reachOfMaestro({ config, runtime }: Deployment): Network {
  const server = config.at('server')
  const key = BIND_KEYS.find((name) => typeof server?.entries.get(name)?.value === 'string')
  const variable = runtime.variables.get('HOST')
  const written = key === undefined ? undefined : String(server?.entries.get(key)?.value)
  const port = Number(runtime.variables.get('PORT')?.value ?? config.at('server.port')?.value ?? 9876)
  if (runtime.kind === 'container') {
    const { reach, place } = reachOf(runtime, '0.0.0.0', port)
    return { reach, key: 'server.port', host: 'its published port', place }
  }
  if (variable?.value)
    return { reach: reachOfHost(variable.value), key: 'HOST', host: variable.value, place: variable.place }
  if (written === undefined) return { reach: 'this host', key: 'server', host: '127.0.0.1', place: undefined }
  const host = written.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return { reach: reachOfHost(host), key: `server.${key}`, host, place: config.place(`server.${key}`) }
}

/** Pure: listening on more than one address too many. */
export function judgeBind({ config, settings }: Deployment, { reach, key, host, place }: Network): Finding[] {
  if (reach !== 'everywhere' || settings.addresses.includes(host)) return []
  const isPublished = key === 'server.port'
  const summary = isPublished
    ? 'The port of MAESTRO is published on every address of this host'
    : `MAESTRO listens on ${host}`
  const remedy =
    isPublished && place
      ? `Write 127.0.0.1: before the port at ${describePlace(place)}`
      : key === 'HOST'
        ? undefined
        : `${config.edit(key)('127.0.0.1')}\n${RESTART}`
  return [
    complain('wide-bind', {
      key,
      place: place ?? config.place('server'),
      summary,
      remedy,
      evidence: { reach },
    }),
  ]
}

function hasTls(config: YamlConfig): boolean {
  const tls = config.at('server.tls')
  if (!tls) return false
  return (
    tls.value === true ||
    (tls.kind === 'map' && tls.entries.size > 0 && tls.entries.get('enabled')?.value !== false)
  )
}

/** Pure: TLS, and the cookie that has to fit it. */
export function judgeTransport(deployment: Deployment, reach: Reach): Finding[] {
  const { config, settings } = deployment
  const native = hasTls(config)
  const isProxied = settings.maestro.tls === 'proxy'
  const cookie = config.at('auth.secure_cookie')?.value
  const findings: Finding[] = []
  if (!native && !isProxied && RANK[reach] >= RANK['the private network']) {
    const summary = `MAESTRO can be reached from ${reach} and does not encrypt: server.tls is off`
    findings.push(
      say(
        deployment,
        'unencrypted',
        'server.tls',
        summary,
        `${config.edit('server.tls')('{enabled: true}')}\n${RESTART}`,
      ),
    )
  }
  if (isProxied && !native && cookie !== true) {
    const summary =
      'A proxy ends TLS, and auth.secure_cookie is not true: the cookie of a session may go out in clear'
    findings.push(
      say(
        deployment,
        'insecure-cookie',
        'auth.secure_cookie',
        summary,
        `${config.edit('auth.secure_cookie')('true')}\n${RESTART}`,
      ),
    )
  }
  if (!native && !isProxied && cookie === true) {
    const summary =
      'auth.secure_cookie is true and nothing ends TLS: no browser sends the cookie, and nobody can log in'
    findings.push(
      say(
        deployment,
        'insecure-cookie',
        'auth.secure_cookie',
        summary,
        'Switch server.tls on, or say in this job that a proxy ends TLS: maestro: {tls: proxy}',
      ),
    )
  }
  return findings
}
