import { readConfigFiles } from './config/files.ts'
import type { PluginSource } from './contract/plugin.ts'
import type { Describe, Setup } from './setup.ts'
import { keepSetup, recallSetup, runningProgram, setupKey } from './setup-cache.ts'

export interface OpenedSetup extends Setup {
  /** Keeps it for the next start; to be called by whoever has opened the state directory for writing. */
  keep(stateDir: string): void
}

/**
 * The setup of a configuration: as it was kept when nothing has changed since it was checked, else checked
 * anew. Who may write the files is looked at every time. Throws ConfigError with every problem.
 */
export async function openSetup(
  path: string,
  plugins: PluginSource,
  describe: Describe,
): Promise<OpenedSetup> {
  const files = readConfigFiles(path)
  const program = runningProgram()
  const key = program && files.problems.length === 0 ? setupKey(program, files) : undefined
  const kept = key && recallSetup(key, files)
  if (kept) return { ...kept, keep: () => {} }
  // Loaded only here: YAML, schemas and plugins are most of the program.
  const { loadSetup } = await import('./setup.ts')
  const setup = await loadSetup(path, plugins, describe, files)
  return {
    ...setup,
    keep: (stateDir) => {
      if (key) keepSetup(key, setup, stateDir)
    },
  }
}
