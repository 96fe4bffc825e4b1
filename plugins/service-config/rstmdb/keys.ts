import type { DeadKey, KeySpec } from '../schema.ts'

// rstmdb, rstmdb-server/src/config.rs: 0.1.x as of February 2026, and the keys of replication and deletion that came
// after it. A variable wins over the file. Keys that the program does not know are passed over in silence.

const U32 = 4_294_967_295

export const KEYS: readonly KeySpec[] = [
  { key: 'network.bind_addr', kind: 'address', byDefault: '127.0.0.1:7401', variable: 'RSTMDB_BIND' },
  {
    key: 'network.idle_timeout_secs',
    kind: 'integer',
    min: 0,
    byDefault: 300,
    variable: 'RSTMDB_IDLE_TIMEOUT',
  },
  {
    key: 'network.max_connections',
    kind: 'integer',
    min: 0,
    byDefault: 1000,
    variable: 'RSTMDB_MAX_CONNECTIONS',
  },
  { key: 'auth.required', kind: 'boolean', byDefault: false, variable: 'RSTMDB_AUTH_REQUIRED' },
  { key: 'auth.token_hashes', kind: 'texts' },
  { key: 'auth.secrets_file', kind: 'path', variable: 'RSTMDB_AUTH_SECRETS_FILE' },
  { key: 'storage.data_dir', kind: 'path', byDefault: './data', variable: 'RSTMDB_DATA' },
  {
    key: 'storage.wal_segment_size_mb',
    kind: 'integer',
    min: 0,
    byDefault: 64,
    variable: 'RSTMDB_WAL_SEGMENT_SIZE_MB',
  },
  { key: 'storage.fsync_policy', kind: 'fsync', byDefault: 'every_write', variable: 'RSTMDB_FSYNC_POLICY' },
  {
    key: 'storage.max_machine_versions',
    kind: 'integer',
    min: 0,
    max: U32,
    byDefault: 0,
    variable: 'RSTMDB_MAX_MACHINE_VERSIONS',
  },
  {
    key: 'storage.allow_instance_recreate',
    kind: 'boolean',
    byDefault: true,
    variable: 'RSTMDB_ALLOW_INSTANCE_RECREATE',
  },
  { key: 'storage.allow_flush_all', kind: 'boolean', byDefault: false, variable: 'RSTMDB_ALLOW_FLUSH_ALL' },
  { key: 'compaction.enabled', kind: 'boolean', byDefault: true, variable: 'RSTMDB_COMPACT_ENABLED' },
  {
    key: 'compaction.events_threshold',
    kind: 'integer',
    min: 0,
    byDefault: 10_000,
    variable: 'RSTMDB_COMPACT_EVENTS',
  },
  {
    key: 'compaction.size_threshold_mb',
    kind: 'integer',
    min: 0,
    byDefault: 100,
    variable: 'RSTMDB_COMPACT_SIZE_MB',
  },
  {
    key: 'compaction.min_interval_secs',
    kind: 'integer',
    min: 0,
    byDefault: 60,
    variable: 'RSTMDB_COMPACT_INTERVAL',
  },
  { key: 'tls.enabled', kind: 'boolean', byDefault: false, variable: 'RSTMDB_TLS_ENABLED' },
  { key: 'tls.cert_path', kind: 'path', variable: 'RSTMDB_TLS_CERT' },
  { key: 'tls.key_path', kind: 'path', variable: 'RSTMDB_TLS_KEY' },
  {
    key: 'tls.require_client_cert',
    kind: 'boolean',
    byDefault: false,
    variable: 'RSTMDB_TLS_REQUIRE_CLIENT_CERT',
  },
  { key: 'tls.client_ca_path', kind: 'path', variable: 'RSTMDB_TLS_CLIENT_CA' },
  { key: 'metrics.enabled', kind: 'boolean', byDefault: false, variable: 'RSTMDB_METRICS_ENABLED' },
  { key: 'metrics.bind_addr', kind: 'address', byDefault: '0.0.0.0:9090', variable: 'RSTMDB_METRICS_BIND' },
  {
    key: 'replication.role',
    kind: 'choice',
    choices: ['standalone', 'primary', 'replica'],
    byDefault: 'standalone',
    variable: 'RSTMDB_REPL_ROLE',
  },
  {
    key: 'replication.mode',
    kind: 'choice',
    choices: ['async', 'sync'],
    byDefault: 'async',
    variable: 'RSTMDB_REPL_MODE',
  },
  { key: 'replication.upstream', kind: 'text', variable: 'RSTMDB_REPL_UPSTREAM' },
  {
    key: 'replication.sync_replicas',
    kind: 'integer',
    min: 0,
    max: U32,
    byDefault: 1,
    variable: 'RSTMDB_REPL_SYNC_REPLICAS',
  },
  {
    key: 'replication.sync_timeout_ms',
    kind: 'integer',
    min: 0,
    byDefault: 5000,
    variable: 'RSTMDB_REPL_SYNC_TIMEOUT_MS',
  },
  { key: 'replication.max_lag_seconds', kind: 'integer', min: 0, byDefault: 30 },
  { key: 'replication.max_lag_entries', kind: 'integer', min: 0, byDefault: 10_000 },
  { key: 'replication.auth_token', kind: 'text', variable: 'RSTMDB_REPL_AUTH_TOKEN' },
  {
    key: 'replication.poll_interval_ms',
    kind: 'integer',
    min: 0,
    byDefault: 10,
    variable: 'RSTMDB_REPL_POLL_INTERVAL_MS',
  },
  {
    key: 'replication.heartbeat_interval_secs',
    kind: 'integer',
    min: 0,
    byDefault: 5,
    variable: 'RSTMDB_REPL_HEARTBEAT_INTERVAL_SECS',
  },
  {
    key: 'replication.reconnect_delay_secs',
    kind: 'integer',
    min: 0,
    byDefault: 2,
    variable: 'RSTMDB_REPL_RECONNECT_DELAY_SECS',
  },
  {
    key: 'replication.lag_check_interval_secs',
    kind: 'integer',
    min: 0,
    byDefault: 10,
    variable: 'RSTMDB_REPL_LAG_CHECK_INTERVAL_SECS',
  },
]

/** Variables that are read beside those of keys; the last two by the client only. */
export const OTHER_VARIABLES = ['RSTMDB_CONFIG', 'RSTMDB_AUTH_TOKEN_HASH', 'RSTMDB_TOKEN', 'RSTMDB_SERVER']

export const DEAD_KEYS: readonly DeadKey[] = [
  {
    key: 'logging',
    instead: 'the program logs text to its standard output; RUST_LOG=info in its environment sets the level',
  },
]

export const DEAD_VARIABLES: readonly DeadKey[] = [
  { key: 'RSTMDB_LOG_FORMAT', instead: 'there is no other format than text' },
  { key: 'RSTMDB_LOG_LEVEL', instead: 'set RUST_LOG instead' },
  { key: 'RSTMDB_LOG', instead: 'set RUST_LOG instead' },
]

/** Tokens that anybody would try, the empty one among them: a hash of one of these is no secret. */
export const KNOWN_TOKENS: readonly string[] = [
  '',
  'test',
  'my-secret-token',
  'your-secure-token',
  'repl-secret-token',
  'password',
  'secret',
  'token',
  'changeme',
  'admin',
  'rstmdb',
  '123456',
]

/** Texts that stand where a hash should, in documents. */
export const SAMPLE_HASHES: readonly string[] = [
  'a5f3c6c86f1a6d3b8c4e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1',
]
