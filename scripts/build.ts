// Builds the single binary: `bun scripts/build.ts [--target bun-linux-arm64] [--outfile dist/reeve]`.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: `bun-linux-${process.arch}` },
    outfile: { type: 'string', default: 'dist/reeve' },
  },
})

mkdirSync(dirname(values.outfile), { recursive: true })
const result = await Bun.build({
  // A thread is a program of its own, found in the binary by its path.
  entrypoints: [
    'agent/main.ts',
    'agent/host/compressor-thread.ts',
    'agent/host/file-maker-thread.ts',
    'agent/host/hash-thread.ts',
    'plugins/backup/openpgp/encryptor-thread.ts',
  ],
  target: 'bun',
  format: 'esm',
  minify: true,
  // Source text is compiled to bytecode at build time: it starts in half the time.
  bytecode: true,
  // Each road through the program loads only what it needs.
  splitting: true,
  compile: {
    target: values.target as Bun.Build.CompileTarget,
    outfile: values.outfile,
    // A host agent takes no code and no settings from the directory it happens to be started in.
    autoloadBunfig: false,
    autoloadDotenv: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
})
if (!result.success) {
  for (const log of result.logs) console.error(String(log))
  process.exit(1)
}
console.log(values.outfile)
