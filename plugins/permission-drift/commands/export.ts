import {
  type Command,
  type CommandResult,
  type EntryState,
  type FileSink,
  type Json,
  printablePath,
  UserError,
} from '../../../agent/contract/mod.ts'
import { BaselineError } from '../baseline/format.ts'
import { openBaseline } from '../baseline/open-baseline.ts'
import { stateOf } from '../baseline/summary.ts'
import type { Config } from '../config.ts'
import { parseMemory } from '../memory.ts'
import { formatMtree } from '../policy/mtree.ts'
import { chooseTrees, configOf, isChosen } from './choose.ts'

const MAX_SHOWN_CHARACTERS = 16_777_216
const FLUSH_CHARACTERS = 262_144

export const exportBaseline: Command<Config> = {
  summary: 'Write a baseline as text: a JSON line for each entry, or a specification of mtree(5)',
  usage: '[--job NAME] [--format jsonl|mtree] [--to FILE] [PATH]',
  options: {
    format: { type: 'string', means: '`jsonl` (default) or `mtree`' },
    to: { type: 'string', means: 'A new file; default: standard output, up to 16 MB' },
  },
  job: 'required',
  permissions: (_config, { values }) => ({
    ...(typeof values.to === 'string' && {
      write: [values.to.slice(0, Math.max(1, values.to.lastIndexOf('/')))],
    }),
  }),
  paths: ['to', 'positionals'],
  async run(context): Promise<CommandResult> {
    const { args, host } = context
    const config = configOf(context)
    const format = args.values.format ?? 'jsonl'
    if (format !== 'jsonl' && format !== 'mtree')
      throw new UserError('Cannot export: --format is jsonl or mtree')
    const [choice, another] = chooseTrees(config.trees, args.positionals)
    if (!choice || another) throw new UserError('Cannot export: name one tree, or a path in it')
    const lineOf = (state: EntryState) =>
      format === 'mtree'
        ? formatMtree(state, choice.tree.path)
        : JSON.stringify({ path: printablePath(state.path), ...stateOf(state) })
    const sink = typeof args.values.to === 'string' ? host.create(args.values.to, { mode: 0o600 }) : undefined
    const output = new Output(sink)
    try {
      const baseline = openBaseline(
        context,
        choice.tree.path,
        parseMemory(context.memory).get(choice.tree.path),
      )
      if (!baseline) throw new UserError(`Cannot export "${choice.tree.path}": there is no baseline yet`)
      const { reader } = baseline
      if (format === 'mtree') output.write('#mtree\n')
      let entries = 0
      for (; !reader.atEnd; reader.next()) {
        const state = reader.entry()
        if (!isChosen(choice, state.path)) continue
        output.write(`${lineOf(state)}\n`)
        entries++
      }
      reader.close()
      const text = output.end()
      const done = `${entries} entries of generation ${reader.header.generation} are in ${args.values.to}`
      const json: Json = {
        tree: choice.tree.path,
        generation: reader.header.generation,
        entries,
        ...(text && { text }),
      }
      return { exitCode: 0, text: sink ? done : text.trimEnd(), json }
    } catch (error) {
      if (!(error instanceof BaselineError)) throw error
      return { exitCode: 3, text: `${choice.tree.path}: cannot be trusted: ${error.message}`, json: null }
    } finally {
      sink?.abort()
    }
  },
}

/** Lines to a file, or to be shown. */
class Output {
  private text = ''

  constructor(private readonly sink: FileSink | undefined) {}

  write(line: string): void {
    this.text += line
    if (this.sink && this.text.length > FLUSH_CHARACTERS) this.flush()
    if (!this.sink && this.text.length > MAX_SHOWN_CHARACTERS) {
      throw new UserError('Cannot export to standard output: it is more than 16 MB; give --to FILE')
    }
  }

  end(): string {
    if (!this.sink) return this.text
    this.flush()
    this.sink.commit()
    return ''
  }

  private flush(): void {
    this.sink?.write(Buffer.from(this.text))
    this.text = ''
  }
}
