import { version as reeveVersion } from '../version.ts'
import { type CliCommand, EXIT } from './command.ts'
import { print, printJson } from './print.ts'

export const version: CliCommand = {
  name: 'version',
  summary: 'Version of reeve and of what it is built of',
  usage: '',
  json: true,
  async run({ json }) {
    if (json)
      printJson({ reeve: reeveVersion, bun: Bun.version, platform: `${process.platform}-${process.arch}` })
    else print(`reeve ${reeveVersion} (Bun ${Bun.version}, ${process.platform}-${process.arch})`)
    return EXIT.clean
  },
}
