import type { Finding } from '../../../agent/contract/mod.ts'
import type { Look } from '../look.ts'
import { complain } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { addVariable } from '../runtime.ts'
import { deleteLine, type Place } from '../setting.ts'
import type { YamlConfig } from '../yaml-config.ts'
import { judgeLogrotate, judgeRstmdb } from './judge.ts'
import { readSettings, type Settings } from './settings.ts'
import { judgeTokens, parseTokenFile, type Token } from './tokens.ts'

export function checkRstmdb(look: Look): Finding[] {
  const { files, config } = look
  const configs = look.yamlConfigs()
  const findings: Finding[] = []
  for (const runtime of look.runtimes) {
    const used = chooseConfig(look, configs, runtime, findings)
    if (used === 'unread') continue
    const { settings, findings: written } = readSettings(used, runtime)
    const { tokens, known } = collectTokens(look, used, settings, runtime)
    const home = used
      ? { path: used.path }
      : (runtime.place ?? { path: look.locations.files[0] ?? '/etc/rstmdb' })
    findings.push(
      ...written,
      ...judgeTokens(tokens, config.rstmdb.clients),
      ...judgeRstmdb({
        settings,
        runtime,
        home: used ? home : { path: home.path, line: home.line },
        tokens,
        tokensKnown: known,
        exists: (path) => files.exists(path),
        config,
      }),
    )
  }
  const logrotate = '/etc/logrotate.d/rstmdb'
  const rotation = files.exists(logrotate) ? files.text(logrotate) : undefined
  if (rotation !== undefined) findings.push(...judgeLogrotate(logrotate, rotation))
  return findings
}

/**
 * The configuration that this start of the program reads: the one that RSTMDB_CONFIG names, and none without it.
 * "unread": it is not known what it says.
 */
function chooseConfig(
  look: Look,
  configs: YamlConfig[],
  runtime: Runtime,
  findings: Finding[],
): YamlConfig | undefined | 'unread' {
  const named = runtime.variables.get('RSTMDB_CONFIG')
  const byFlag = configOption(runtime)
  const [first] = configs
  // Of what is started by hand nobody knows the environment: the file is taken for read.
  if (runtime.kind === 'unknown') return first ?? (look.files.malformed.length > 0 ? 'unread' : undefined)
  if (runtime.kind === 'container') {
    // Where the file lies in the container is the image's matter: the one that was found is taken.
    return named || byFlag ? (first ?? 'unread') : undefined
  }
  const path = named ? named.value : byFlag?.path
  if (named && path === undefined) {
    look.files.dark(runtime.name, 'the value of RSTMDB_CONFIG is not known')
    return 'unread'
  }
  if (path === undefined) {
    if (first && runtime.complete) {
      const place: Place = runtime.place ?? { path: first.path }
      const summary = `${runtime.name} does not set RSTMDB_CONFIG: rstmdb does not read ${first.path}, and its defaults hold`
      const remedy = `${addVariable(runtime, 'RSTMDB_CONFIG', first.path) ?? `Set RSTMDB_CONFIG=${first.path}`}\nsystemctl daemon-reload && systemctl restart rstmdb`
      findings.push(complain('other-file-in-use', { key: 'RSTMDB_CONFIG', place, summary, remedy }))
    }
    return undefined
  }
  const used = configs.find((candidate) => candidate.path === path)
  if (used) return used
  const place = named?.place ?? byFlag?.place ?? { path: runtime.name }
  if (path.startsWith('/') && !look.files.exists(path)) {
    const summary = `RSTMDB_CONFIG names ${path}, which is not there: rstmdb would not start`
    const remedy = first
      ? named?.edit(first.path)
      : `Put a configuration there: install -m 600 -o rstmdb -g rstmdb FILE ${path}`
    findings.push(complain('would-not-start', { key: 'RSTMDB_CONFIG', place, summary, remedy }))
  } else if (!look.files.malformed.some((file) => file.path === path)) {
    look.files.dark(path, 'rstmdb reads it, and this job does not: add it to "files"')
  }
  return 'unread'
}

/** `--config FILE` of the command line. */
function configOption({ command }: Runtime): { path: string; place: Place } | undefined {
  for (const [index, { text, place }] of command.entries()) {
    const [, joined] = /^--config=(.+)$/.exec(text) ?? []
    const path = joined ?? (text === '--config' ? command[index + 1]?.text : undefined)
    if (path !== undefined) return { path, place }
  }
  return undefined
}

function collectTokens(
  look: Look,
  config: YamlConfig | undefined,
  settings: Settings,
  runtime: Runtime,
): { tokens: Token[]; known: boolean } {
  const tokens: Token[] = (config?.at('auth.token_hashes')?.items ?? []).flatMap((item, index): Token[] => {
    if (typeof item.value !== 'string' || !config) return []
    const place = { path: config.path, line: item.line }
    return [
      { text: item.value, place, key: `auth.token_hashes.${index}`, inline: true, remove: deleteLine(place) },
    ]
  })
  let known = runtime.complete || runtime.kind === 'unknown'
  const added = runtime.variables.get('RSTMDB_AUTH_TOKEN_HASH')
  if (added && added.value === undefined) known = false
  if (added?.value) {
    const { place, remove } = added
    tokens.push({ text: added.value, place, key: 'RSTMDB_AUTH_TOKEN_HASH', inline: true, remove })
  }
  const path = settings.text('auth.secrets_file')
  if (path === undefined) return { tokens, known }
  if (!path.startsWith('/')) {
    look.files.dark(path, 'auth.secrets_file is relative to where rstmdb is started')
    return { tokens, known: false }
  }
  // In a container it is the path there.
  if (!look.files.exists(path)) return { tokens, known: runtime.kind !== 'container' && known }
  const text = look.files.text(path)
  if (text === undefined) return { tokens, known: false }
  return { tokens: [...tokens, ...parseTokenFile(path, text)], known }
}
