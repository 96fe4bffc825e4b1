import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'sqlite',
  schema: './agent/store/schema.ts',
  out: './agent/store/migrations',
})
