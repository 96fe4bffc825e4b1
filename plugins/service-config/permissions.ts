import { globBase, isGlob, type Permissions } from '../../agent/contract/mod.ts'
import { type Config, locate } from './config.ts'

/** Pure: what a look at a service may read. */
export function readsOf(config: Config): Pick<Permissions, 'read' | 'list' | 'run' | 'capabilities'> {
  const { files, unitDirectories, units, compose, environmentFiles, others } = locate(config)
  const unitFiles = unitDirectories.flatMap((directory) =>
    units.flatMap((unit) => [`${directory}/${unit}`, `${directory}/${unit}.d/*.conf`]),
  )
  const read = [...new Set([...files, ...unitFiles, ...compose, ...environmentFiles, ...others])]
  const { program } = config.ofelia
  const asks = config.service === 'ofelia' && program !== undefined
  const run: Permissions['run'] = asks ? files.map((file) => [program, 'validate', `--config=${file}`]) : []
  const list = [...new Set(read.filter(isGlob).map(globBase))]
  // Its files are the service's alone.
  return { read, run, list, capabilities: ['CAP_DAC_READ_SEARCH'] }
}
