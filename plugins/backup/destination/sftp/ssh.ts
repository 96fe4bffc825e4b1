import { type Permissions, shellWord, UserError } from '../../../../agent/contract/mod.ts'
import type { DestinationConfig } from '../config.ts'

export type SftpConfig = Extract<DestinationConfig, { type: 'sftp' }>

const SSH = '/usr/bin/ssh'

/**
 * The one command line that a job may run: no configuration of the host or the user, no agent, no password, no
 * question, and no server but one whose key is known.
 */
export function sshCommand(config: SftpConfig): [string, ...string[]] {
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: quoted(config.knownHosts),
    GlobalKnownHostsFile: 'none',
    UpdateHostKeys: 'no',
    VerifyHostKeyDNS: 'no',
    IdentityFile: quoted(config.identityFile),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    ControlPath: 'none',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    ConnectTimeout: '20',
    ServerAliveInterval: '15',
    ServerAliveCountMax: '3',
    LogLevel: 'ERROR',
  }
  return [
    SSH,
    ...['-F', 'none', '-T', '-p', String(config.port), '-l', config.user],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...['-s', '--', config.host, 'sftp'],
  ]
}

export function sshPermissions(config: SftpConfig): Permissions {
  const address = config.host.includes(':') ? `[${config.host}]` : config.host
  return {
    read: [config.identityFile, config.knownHosts],
    net: [`${address}:${config.port}`],
    run: [sshCommand(config)],
  }
}

/** As ssh_config(5) wants a path: quotes keep blanks, a percent sign begins a token. */
function quoted(path: string): string {
  if (path.includes('"')) throw new UserError(`Cannot use "${path}": ssh takes no path with a quote in it`)
  return `"${path.replaceAll('%', '%%')}"`
}

/** What ssh said, as a reason with what to do. */
export function explainSsh(stderr: string, config: SftpConfig): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const said = lines
    .filter((line) => line !== '' && !line.startsWith('@'))
    .slice(-3)
    .join('; ')
  const { host, port, knownHosts, user, identityFile } = config
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    return `the server has another key than the one in ${knownHosts}: ask who runs it before you put the new one there`
  }
  if (/Host key verification failed|No .* host key is known/i.test(stderr)) {
    const scan = `ssh-keyscan -p ${port} ${shellWord(host)} >> ${shellWord(knownHosts)}`
    return `the key of the server is not in ${knownHosts}. Get it (${scan}) and compare it with what its owner says`
  }
  if (/Permission denied \(/.test(stderr)) {
    return `the server does not accept the key ${identityFile} for the user "${user}". Put ${identityFile}.pub into its authorized_keys`
  }
  if (/bad permissions|UNPROTECTED PRIVATE KEY/i.test(stderr)) {
    return `others may read the private key: chmod 0600 ${shellWord(identityFile)}`
  }
  if (said === '') return 'the connection was lost'
  return said
}
