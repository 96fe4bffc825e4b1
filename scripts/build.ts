// Builds the single binary: `bun scripts/build.ts [--target bun-linux-arm64] [--outfile dist/reeve]`, or one of another
// program of the project: `--program scripts/bench/backup.ts`.
import { parseArgs } from 'node:util'
import { buildBinary } from './binary.ts'

const { values } = parseArgs({
  options: {
    program: { type: 'string', default: 'agent/main.ts' },
    target: { type: 'string' },
    outfile: { type: 'string', default: 'dist/reeve' },
  },
})

await buildBinary(values.program, values.outfile, values.target)
console.log(values.outfile)
