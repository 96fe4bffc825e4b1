import { runDaemon } from '../daemon.ts'
import { type CliCommand, EXIT } from './command.ts'

export const daemon: CliCommand = {
  name: 'daemon',
  summary: 'Run the scheduler and the status API until SIGTERM',
  usage: '',
  async run({ config, plugins }) {
    await runDaemon({ config, plugins })
    return EXIT.clean
  },
}
