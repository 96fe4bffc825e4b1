import { isLoopback, parseHostPort } from '../config/address.ts'
import type { Config } from '../config/schema.ts'

/**
 * Why reeve will not listen where the configuration says, with what to do; undefined when it may. What
 * others than this machine can reach must be encrypted and ask for a token.
 */
export function judgeBind(api: Pick<Config['api'], 'listen' | 'tls'>, hasToken: boolean): string | undefined {
  const address = parseHostPort(api.listen)
  if (!address) return `Cannot listen on "${api.listen}": wanted ADDRESS:PORT`
  if (isLoopback(address.host)) return undefined
  const missing = [
    ...(api.tls ? [] : ['there is no `api.tls`']),
    ...(hasToken ? [] : ['there is no token (make one with: reeve token new NAME --scope read)']),
  ]
  if (missing.length === 0) return undefined
  return (
    `Cannot listen on "${api.listen}": others than this machine can reach it, and ${missing.join(' and ')}. ` +
    'Listen on 127.0.0.1 instead (an SSH tunnel or a reverse proxy leads there), or add what is missing'
  )
}
