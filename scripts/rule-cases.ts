// `bun scripts/rule-cases.ts RECORD JUNIT`, after all tests: was every rule of every plugin seen both finding something
// and finding nothing? RECORD is the directory that tests/kit/rule-cases.ts wrote to, JUNIT the report of the runner.
// Ends with 1 when a rule was not, and with 2 when this machine could not show all: a file of
// tests/e2e, whose tests are about the machine, was skipped as a whole.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtInPlugins } from '../plugins/index.ts'

const PHASES = ['check', 'apply']

/**
 * Pure: "PLUGIN RULE was never seen to …" for each rule that was not seen both ways in one and the same phase; a whole
 * run counts for either.
 */
export function unseenCases(plugin: string, rules: string[], seen: ReadonlySet<string>): string[] {
  return rules.flatMap((rule) => {
    const wasSeen = (phase: string, how: string) =>
      [phase, 'run'].some((kind) => seen.has(`${plugin} ${kind} ${rule} ${how}`))
    const fired = PHASES.filter((phase) => wasSeen(phase, 'fired'))
    if (fired.length === 0) return [`${plugin} ${rule} was never seen to fire`]
    if (!fired.some((phase) => wasSeen(phase, 'silent')))
      return [`${plugin} ${rule} was never seen to stay silent`]
    return []
  })
}

/** Pure: files of tests/e2e of which no test ran. */
export function skippedFiles(junit: string): string[] {
  return [
    ...junit.matchAll(/<testsuite name="(tests\/e2e\/[^"]+)" file=[^>]* tests="(\d+)"[^>]* skipped="(\d+)"/g),
  ].flatMap(([, file = '', tests, skipped]) => (tests === skipped ? [file] : []))
}

async function main([record = '', junit = '']: string[]): Promise<number> {
  const seen = new Set(
    readdirSync(record).flatMap((name) => readFileSync(join(record, name), 'utf8').split('\n')),
  )
  const plugins = await builtInPlugins.load(builtInPlugins.names)
  const unseen = [...plugins.values()].flatMap(({ name, rules }) =>
    unseenCases(name, Object.keys(rules), seen),
  )
  for (const line of unseen) console.log(line)
  if (unseen.length === 0) return 0
  const skipped = skippedFiles(readFileSync(junit, 'utf8'))
  if (skipped.length > 0) console.log(`skipped as a whole: ${skipped.join(', ')}`)
  return skipped.length > 0 ? 2 : 1
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
