import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { configSchema } from '../config/schema.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { daemonDropIn, timerUnits } from '../units.ts'
import { type CliCommand, EXIT, type OptionValues, textOption } from './command.ts'
import { type HostView, readHost } from './host.ts'
import { print, printJson } from './print.ts'

const VERBS = ['check', 'show', 'schema', 'unit', 'timers']

export const config: CliCommand = {
  name: 'config',
  summary: 'Check the configuration and show what comes of it',
  usage: 'check | show | schema | unit | timers [--output DIR]',
  json: true,
  options: {
    output: {
      type: 'string',
      value: 'DIR',
      means: 'With timers: write the units there instead of printing them',
    },
    binary: {
      type: 'string',
      value: 'FILE',
      means: 'With timers: the binary to start; default /usr/local/bin/reeve',
    },
  },
  async run(invocation) {
    const [verb = 'check'] = invocation.positionals
    if (!VERBS.includes(verb)) {
      const near = nearest(verb, VERBS)
      throw new UserError(
        `There is no "reeve config ${verb}"${near ? `, did you mean "${near}"?` : `; known are ${VERBS.join(', ')}`}`,
      )
    }
    if (verb === 'schema') {
      printJson(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }))
      return EXIT.clean
    }
    const host = await readHost(invocation)
    if (verb === 'unit') print(daemonDropIn(host.jobs, host.stateDir).trimEnd())
    else if (verb === 'timers') writeTimers(invocation.values, host)
    else if (verb === 'show') printJson({ ...host.config, stateDir: host.stateDir, jobs: host.jobs })
    else {
      const refused = host.jobs.filter((job) => job.refused)
      if (invocation.json)
        printJson({
          files: host.files,
          jobs: host.jobs.length,
          refused: refused.map((job) => job.name),
        })
      else {
        print(`${host.files.join(', ')}: ${host.jobs.length} jobs, no problems`)
        for (const job of refused) print(`but ${job.name} will not run: ${job.refused}`)
      }
      return refused.length > 0 ? EXIT.usage : EXIT.clean
    }
    return EXIT.clean
  },
}

function writeTimers(values: OptionValues, { jobs, stateDir }: HostView): void {
  const units = timerUnits(jobs, textOption(values, 'binary') ?? '/usr/local/bin/reeve', stateDir)
  const directory = textOption(values, 'output')
  if (directory === undefined) {
    for (const { name, content } of units) print(`# ${name}\n${content}`)
    return
  }
  mkdirSync(directory, { recursive: true })
  for (const { name, content } of units) {
    writeFileSync(join(directory, name), content, { mode: 0o644 })
    print(name)
  }
}
