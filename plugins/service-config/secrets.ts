import { type Finding, isSecretName, isVariableReference } from '../../agent/contract/mod.ts'
import { leavesOf, type YamlNode } from './read/yaml.ts'
import { complain } from './rules.ts'
import type { Variable } from './runtime.ts'
import type { YamlConfig } from './yaml-config.ts'

/** Where a secret is said to be, instead of the secret: env:NAME, file:…, `${NAME}`. */
export function isReference(text: string): boolean {
  return /^(env|file|credential):/.test(text) || isVariableReference(text) || /^\$\{[^}]+:-\}$/.test(text)
}

/** What stands in examples, and what anybody would try. */
export function isPlaceholder(text: string): boolean {
  return /^(\.{2,}|…|x{3,}|<.*>|changeme|change[-_]?me|password|secret|token|test|todo|your[-_ ].*|example.*|.*placeholder.*)$/i.test(
    text,
  )
}

/** Leaves whose key is one of a secret, and that hold a text. */
export function* secretLeaves({
  file,
}: YamlConfig): Generator<{ key: string; name: string; node: YamlNode; text: string }> {
  for (const { path, node } of leavesOf(file.root)) {
    // Of an element of a list the name is that of the list.
    const name = path.findLast((part) => !/^\d+$/.test(part)) ?? ''
    const { value } = node
    if (node.kind !== 'scalar' || value === null || value === undefined || typeof value === 'boolean')
      continue
    const text = String(value)
    if (text === '' || !isSecretName(name) || /^(\/|~\/|\.{0,2}\/)[\w.@/-]+$/.test(text)) continue
    yield { key: path.join('.'), name, node, text }
  }
}

/** A variable that holds a secret: its strength, and whether it is written where others read it. */
export function judgeVariable(
  { name, value, place, inline, remove }: Variable,
  minLength: number,
): Finding[] {
  const findings: Finding[] = []
  if (value === undefined) return findings
  if (isPlaceholder(value)) {
    findings.push(
      complain('placeholder-secret', {
        key: name,
        place,
        summary: `${name} is a placeholder`,
        remedy: 'openssl rand -hex 32',
      }),
    )
  } else if (value.length < minLength) {
    const summary = `${name} has ${value.length} characters, wanted at least ${minLength}`
    findings.push(complain('weak-secret', { key: name, place, summary, remedy: 'openssl rand -hex 32' }))
  }
  if (inline && value !== '' && !isReference(value)) findings.push(inlineSecret({ name, place, remove }))
  return findings
}

/** A secret that is written into a unit or a Compose file. */
export function inlineSecret({ name, place, remove }: Pick<Variable, 'name' | 'place' | 'remove'>): Finding {
  const summary = `${name} stands in a file that everybody may read who can look at the service`
  const remedy = `${remove}\nPut it into a file of mode 0600 that EnvironmentFile= (env_file: in Compose) names`
  return complain('secret-in-unit', { key: name, place, summary, remedy })
}
