// Builds the single binary: `bun scripts/build.ts [--target bun-linux-arm64] [--outfile dist/reeve]`.
import { parseArgs } from 'node:util'
import { buildBinary } from './binary.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    outfile: { type: 'string', default: 'dist/reeve' },
  },
})

await buildBinary('agent/main.ts', values.outfile, values.target)
console.log(values.outfile)
