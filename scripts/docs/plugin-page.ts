import { parse } from 'yaml'
import { z } from 'zod'
import { verbName } from '../../agent/cli/verb-name.ts'
import { PERMISSION_KEYS, type Permissions } from '../../agent/contract/permissions.ts'
import type { PluginSpec } from '../../agent/contract/plugin.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { describeInput, listSettings, markdownTable, settingsTable } from './settings.ts'

const sampleSchema = z.record(
  z.string(),
  z.looseObject({ plugin: z.string(), mode: z.string().optional(), config: z.unknown() }),
)

/** The reference of one plugin: all that its spec and its sample say. Pure. */
export function pluginReference(plugin: PluginSpec, sample: string): string {
  return [
    `${plugin.summary}.`,
    defaultsOf(plugin),
    '## Example',
    'A job as it stands under `jobs:`.',
    `\`\`\`yaml sample\n${sample.trimEnd()}\n\`\`\``,
    '## Settings',
    'Under `config:` of the job.',
    settingsTable(listSettings(describeInput(plugin.config))),
    '## Rules',
    'What a run of this plugin can find. The severity is the usual one.',
    markdownTable(
      ['Rule', 'Severity', 'Meaning'],
      Object.entries(plugin.rules).map(([rule, { severity, means, references = [] }]) => [
        `\`${rule}\``,
        severity,
        references.length > 0 ? `${means} (${references.join('; ')})` : means,
      ]),
    ),
    '## Permissions',
    ...permissionSections(plugin, sample),
    ...commandSections(plugin),
  ].join('\n\n')
}

function defaultsOf({ apply, defaults }: PluginSpec): string {
  const modes = apply ? '`observe` and `enforce`' : '`observe` only'
  return `Modes: ${modes}. Schedule unless the job has its own: \`${defaults.schedule}\`. Timeout: ${defaults.timeout}.`
}

function permissionSections(plugin: PluginSpec, sample: string): string[] {
  return Object.entries(sampleSchema.parse(parse(sample))).flatMap(([name, job]) => {
    const { check, apply } = plugin.permissions(plugin.config.parse(job.config ?? {}))
    const rows = [...permissionRows('check', check), ...(apply ? permissionRows('apply', apply) : [])]
    const subject = `What the job \`${name}\` above may touch; nothing else is open to it.`
    return [`${subject} \`reeve jobs NAME\` shows the same of your own job.`, phaseTable(rows)]
  })
}

function phaseTable(rows: string[][]): string {
  return rows.length > 0 ? markdownTable(['Phase', 'Permission', 'On'], rows) : 'None.'
}

function permissionRows(phase: string, permissions: Permissions): string[][] {
  return PERMISSION_KEYS.flatMap((key) => {
    const entries: (string | string[])[] = permissions[key] ?? []
    if (entries.length === 0) return []
    return [
      [
        phase,
        key,
        entries.map((entry) => `\`${Array.isArray(entry) ? entry.join(' ') : entry}\``).join(', '),
      ],
    ]
  })
}

function commandSections({ name, commands = {} }: PluginSpec): string[] {
  const sections = Object.entries(commands).map(([verb, { summary, usage, options }]) => {
    const rows = Object.entries(options).map(([option, { type, means }]) => [
      `\`--${option}${type === 'string' ? ' VALUE' : ''}\``,
      means,
    ])
    const words = verbName(builtInPlugins, name, verb)
    const head = `### reeve ${words}\n\n${summary}.\n\n    reeve ${words} ${usage}`
    return rows.length > 0 ? `${head}\n\n${markdownTable(['Option', 'Meaning'], rows)}` : head
  })
  return sections.length > 0 ? ['## Commands', ...sections] : []
}
