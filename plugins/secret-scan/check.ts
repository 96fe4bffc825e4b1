import type { CheckContext, Report } from '../../agent/contract/mod.ts'
import { checkCommands } from './check-commands.ts'
import { checkEnvironment } from './check-environment.ts'
import { checkFiles, checkLogs } from './check-files.ts'
import { checkJournal } from './check-journal.ts'
import { checkCredentialFiles, checkHistories, checkProcesses } from './check-people.ts'
import { checkPersonalData } from './check-personal-data.ts'
import { checkUnits } from './check-units.ts'
import type { Config } from './config.ts'
import { checkRepositories } from './git/check-repositories.ts'
import { Look } from './scan-files.ts'
import { SecretScanner } from './scan-text.ts'
import { loadShapes } from './shapes.ts'

export async function checkSecrets(context: CheckContext<Config>): Promise<Report> {
  const { config } = context
  const known = config.known.map((name) => ({ name, value: context.secret(name) }))
  const scanner = new SecretScanner({
    shapes: await loadShapes(),
    allowed: config.allowed,
    entropy: config.entropy === 'warning',
    names: config.names,
    known,
  })
  const identities = known.map(({ name, value }) => `${name} ${context.fingerprint(value)}`)
  const look = new Look(context, scanner, identities)
  await checkFiles(look)
  await checkLogs(look)
  await checkJournal(look)
  await checkPersonalData(look)
  const units = await checkUnits(look)
  const environmentFiles = await checkEnvironment(look, units)
  await checkCommands(look)
  checkProcesses(look)
  await checkHistories(look)
  await checkCredentialFiles(look)
  await checkRepositories(look, environmentFiles)
  look.memory.save()
  const { leftOut } = look
  return {
    findings: look.findings,
    blind: look.blind,
    inapplicable: [...look.inapplicable].map(([rule, reason]) => ({ rule, reason })),
    facts: [
      ...look.facts,
      {
        kind: 'secret-scan',
        subject: context.job,
        data: {
          filesSearched: look.examined,
          filesUnchanged: look.unchanged,
          bytesSearched: look.bytes,
          compressedLeftOut: leftOut.compressed,
          binaryLeftOut: leftOut.binary,
          linksLeftOut: leftOut.links,
          specialLeftOut: leftOut.special,
          earlierBytesOfLogsLeftOut: leftOut.earlier,
        },
      },
    ],
    metrics: [
      { name: 'searched_bytes', value: look.bytes, help: 'Bytes that the last run searched for secrets' },
      { name: 'searched_files', value: look.examined, help: 'Files that were searched, or are as they were' },
      { name: 'skipped_files', value: look.skipped, help: 'Files that are no text, compressed, or excluded' },
    ],
    coverage: { examined: look.examined, skipped: look.skipped },
  }
}
