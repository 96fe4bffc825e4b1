import { UserError } from '../lib/errors.ts'
import { ApiClient } from './api-client.ts'
import { type CliCommand, EXIT } from './command.ts'
import { readHost } from './host.ts'
import { print } from './print.ts'

export const reload: CliCommand = {
  name: 'reload',
  summary: 'Check the configuration, then make the daemon read it anew',
  usage: '',
  async run(invocation) {
    const host = await readHost(invocation) // a bad configuration ends here, before the daemon is asked
    const client = host.socket ? new ApiClient(host.socket) : undefined
    if (!client || !(await client.isThere())) {
      throw new UserError(
        `Cannot reload: no daemon answers at "${host.socket ?? '(no socket)'}"; start it with: systemctl start reeve`,
      )
    }
    const { status, body } = await client.json<{ detail?: string }>('/v1/reload', { method: 'POST' })
    if (status >= 300) throw new UserError(`Cannot reload: ${body.detail ?? `the daemon answered ${status}`}`)
    print(`Reloaded: ${host.jobs.length} jobs`)
    return EXIT.clean
  },
}
