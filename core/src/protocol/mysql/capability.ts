/** Flags of the MySQL handshake that matter here (MySQL internals, «Capabilities Flags»; MariaDB has the same numbers). */
export const CAPABILITY = {
  longPassword: 0x1,
  longFlag: 0x4,
  connectWithDb: 0x8,
  compress: 0x20,
  localFiles: 0x80,
  protocol41: 0x200,
  ssl: 0x800,
  transactions: 0x2000,
  secureConnection: 0x8000,
  multiStatements: 0x10000,
  multiResults: 0x20000,
  psMultiResults: 0x40000,
  pluginAuth: 0x80000,
  connectAttrs: 0x100000,
  pluginAuthLenenc: 0x200000,
  zstdCompression: 0x4000000,
} as const;
