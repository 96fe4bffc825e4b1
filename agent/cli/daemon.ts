import { runDaemon } from '../daemon.ts'
import { type CliCommand, EXIT } from './command.ts'

export const daemon: CliCommand = {
  name: 'daemon',
  summary: 'Run the scheduler and the status API until SIGTERM',
  usage: '[--no-schedule]',
  options: {
    'no-schedule': {
      type: 'boolean',
      means: 'Start no job by itself: systemd timers do. It still tells when one is late',
    },
  },
  async run({ config, plugins, values }) {
    await runDaemon({ config, plugins, keepsSchedule: values['no-schedule'] !== true })
    return EXIT.clean
  },
}
