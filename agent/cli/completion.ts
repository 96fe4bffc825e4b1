import { UserError } from '../lib/errors.ts'
import { type CliCommand, EXIT, GLOBAL_OPTIONS } from './command.ts'
import { print } from './print.ts'

export const completion: CliCommand = {
  name: 'completion',
  summary: 'Completions for a shell, on standard output',
  usage: 'bash | zsh | fish',
  async run({ positionals, plugins, catalog: commands }) {
    const [shell = ''] = positionals
    const registry = await plugins.load(plugins.names)
    const words = new Map(
      Object.entries(plugins.shortNames ?? {}).map(([word, { plugin }]) => [plugin, word] as const),
    )
    const verbs = [...registry.values()].flatMap((plugin) =>
      Object.keys(plugin.commands ?? {}).map((verb) => ({
        plugin: words.get(plugin.name) ?? plugin.name,
        verb,
      })),
    )
    const names = [...new Set([...Object.keys(commands), ...verbs.map(({ plugin }) => plugin)])]
    const options = Object.fromEntries(
      await Promise.all(
        Object.entries(commands).map(async ([name, { load }]) => [
          name,
          Object.keys({ ...(await load()).options, ...GLOBAL_OPTIONS }).map((option) => `--${option}`),
        ]),
      ),
    ) as Record<string, string[]>
    const wordsOf = (name: string) => [
      ...(options[name] ?? []),
      ...verbs.filter(({ plugin }) => plugin === name).map(({ verb }) => verb),
    ]
    if (shell === 'bash' || shell === 'zsh') print(bourne(shell, names, wordsOf))
    else if (shell === 'fish') print(fish(names, wordsOf))
    else throw new UserError(`There is no completion for "${shell}"; known are bash, zsh and fish`)
    return EXIT.clean
  },
}

const TAKES_JOB = ['run', 'check', 'jobs']
const JOB_NAMES = 'reeve jobs 2>/dev/null | tail -n +2 | cut -d " " -f 1'

function bourne(shell: 'bash' | 'zsh', names: string[], words: (name: string) => string[]): string {
  const cases = names.map((name) => {
    const jobs = TAKES_JOB.includes(name) ? ` $(${JOB_NAMES})` : ''
    return `    ${name}) words="${words(name).join(' ')}${jobs}" ;;`
  })
  return [
    ...(shell === 'zsh' ? ['#compdef reeve', 'autoload -U +X bashcompinit && bashcompinit'] : []),
    '_reeve() {',
    '  local words',
    `  case "\${COMP_WORDS[1]}" in`,
    ...cases,
    `    *) words="${names.join(' ')}" ;;`,
    '  esac',
    `  [ "$COMP_CWORD" -gt 1 ] || words="${names.join(' ')}"`,
    `  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))`,
    '}',
    'complete -o default -F _reeve reeve',
  ].join('\n')
}

function fish(names: string[], words: (name: string) => string[]): string {
  return [
    'complete -c reeve -f',
    `complete -c reeve -n __fish_use_subcommand -a '${names.join(' ')}'`,
    ...names.map((name) => {
      const jobs = TAKES_JOB.includes(name) ? ` (${JOB_NAMES})` : ''
      return `complete -c reeve -n '__fish_seen_subcommand_from ${name}' -a '${words(name).join(' ')}${jobs}'`
    }),
  ].join('\n')
}
