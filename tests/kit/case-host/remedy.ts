/** Programs that remedies call. */
const PROGRAMS =
  'apt-get cat chgrp chmod chown echo find git gpasswd gpg install ln loginctl mkdir mv nft openssl passwd printf reeve rm sed ' +
  'shred ssh-keygen sysctl systemctl truncate usermod'
const COMMAND = `(?:${PROGRAMS.replaceAll(' ', '|')}) `
const SCRIPT = new RegExp(`^${COMMAND}`)
const SENTENCE = new RegExp(`: (${COMMAND}.*)$`)

/**
 * The shell lines of a remedy; empty where it leaves a choice. Pure. One that begins with a program is shell but for
 * its sentences; in a sentence it is what stands after the colon. What is in brackets is left to the reader.
 */
export function shellLinesOf(remedy: string): string {
  if (!SCRIPT.test(remedy)) return (SENTENCE.exec(remedy)?.[1] ?? '').replace(/ \[--[^\]]*\]/g, '')
  let end: string | undefined
  const lines = remedy.split('\n').filter((line) => {
    if (end !== undefined) {
      if (line === end) end = undefined
      return true
    }
    end = /<<'?(\w+)'?/.exec(line)?.[1]
    return !/^[A-Z][a-z]/.test(line)
  })
  return lines.join('\n')
}
