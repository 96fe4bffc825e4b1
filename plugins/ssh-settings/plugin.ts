import {
  absolutePath,
  type Blind,
  type CheckContext,
  definePlugin,
  describeError,
  globBase,
  type HostReader,
  isGlob,
  type Report,
  z,
} from '../../agent/contract/mod.ts'
import { judgeClient } from './judge-client.ts'
import { judgeServer } from './judge-server.ts'
import { parseServer } from './parse-server.ts'

const SSHD = '/usr/sbin/sshd'
const SERVER_RULES = ['password-login', 'root-login', 'empty-passwords', 'loose-setting', 'weak-algorithm']
const MAX_FILE_BYTES = 1024 * 1024

const config = z.strictObject({
  server: absolutePath
    .default('/etc/ssh/sshd_config')
    .describe('File of the SSH server; what it includes is read, too'),
  clients: z
    .array(absolutePath)
    .default([
      '/etc/ssh/ssh_config',
      '/etc/ssh/ssh_config.d/*.conf',
      '/root/.ssh/config',
      '/home/*/.ssh/config',
    ])
    .describe('Files of the ssh client, or patterns'),
})
type Config = z.output<typeof config>

export default definePlugin({
  name: 'ssh-settings',
  summary: 'Finds settings of the SSH server and client that let people or hosts in that prove too little',
  defaults: { schedule: '@hourly', timeout: '1m' },
  rules: {
    'password-login': {
      means: 'The SSH server takes passwords',
      severity: 'critical',
      references: ['CIS-5.1', 'OWASP-A07'],
    },
    'root-login': {
      means: 'The SSH server lets root in by password',
      severity: 'critical',
      references: ['CIS-5.1'],
    },
    'empty-passwords': { means: 'The SSH server takes empty passwords', severity: 'critical' },
    'loose-setting': {
      means: 'The SSH server trusts files, hosts or an environment that it should not',
      severity: 'warning',
    },
    'weak-algorithm': {
      means: 'The SSH server offers an algorithm that is broken or retired',
      severity: 'warning',
    },
    'unverified-hosts': { means: 'The SSH client does not look whom it talks to', severity: 'critical' },
  },
  config,
  permissions: ({ server, clients }) => ({
    check: {
      list: clients.filter(isGlob).map(globBase),
      // What sshd_config(5) includes by a relative name is below /etc/ssh.
      read: [...new Set(['/etc/ssh', server, ...clients])],
      // Homes are private.
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  }),
  check,
})

async function check({ config, host }: CheckContext<Config>): Promise<Report> {
  const server = checkServer(host, config.server)
  const blind = [...(server.blind ?? [])]
  const files = config.clients.flatMap((pattern) =>
    host.glob(pattern, (subject, reason) => blind.push({ subject, reason, rules: ['unverified-hosts'] })),
  )
  const clients = files.flatMap(({ path, type }) => {
    if (type !== 'file' && type !== 'symlink') return []
    try {
      return judgeClient(path, host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true }))
    } catch (error) {
      blind.push({ subject: path, reason: describeError(error), rules: ['unverified-hosts'] })
      return []
    }
  })
  return {
    ...server,
    findings: [...server.findings, ...clients],
    blind,
    coverage: { examined: files.length + (server.inapplicable ? 0 : 1), skipped: 0 },
  }
}

function checkServer(host: HostReader, path: string): Report {
  if (!host.stat(SSHD) && !host.stat(path)) {
    const reason = 'no SSH server is installed'
    return { findings: [], inapplicable: SERVER_RULES.map((rule) => ({ rule, reason })) }
  }
  const blind: Blind[] = []
  const dark = (subject: string, reason: string) => blind.push({ subject, reason, rules: SERVER_RULES })
  const read = (path: string) => {
    try {
      return [{ path, text: host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true }) }]
    } catch (error) {
      dark(path, describeError(error))
      return []
    }
  }
  const [main] = read(path)
  if (!main) return { findings: [], blind }
  const settings = parseServer(main.path, main.text, (pattern) =>
    host
      .glob(pattern, dark)
      .filter(({ type }) => type !== 'directory')
      .flatMap(({ path }) => read(path)),
  )
  return { findings: judgeServer(settings), blind }
}
