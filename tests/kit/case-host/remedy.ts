/** Programs that remedies call. */
const PROGRAMS = [
  'apt-get',
  'chgrp',
  'chmod',
  'chown',
  'find',
  'git',
  'gpasswd',
  'gpg',
  'install',
  'loginctl',
  'mkdir',
  'mv',
  'nft',
  'passwd',
  'reeve',
  'rm',
  'sed',
  'shred',
  'ssh-keygen',
  'sysctl',
  'systemctl',
  'usermod',
]
const COMMAND = new RegExp(`(?:^|: )((?:${PROGRAMS.join('|')}) .*)$`)

/** The commands that a remedy names: whole lines, or what stands after a colon. Pure. */
export function commandsOf(remedy: string): string[] {
  return remedy.split('\n').flatMap((line) => {
    const command = COMMAND.exec(line.trim())?.[1]
    // What stands in brackets is left to the reader.
    return command === undefined ? [] : [command.replace(/ \[--[^\]]*\]/g, '')]
  })
}
