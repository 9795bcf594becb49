/** Commands that are looked at (MySQL internals, «Command Phase»; 250 is MariaDB's). */
export const COMMAND = {
  initDb: 2,
  query: 3,
  changeUser: 17,
  prepare: 22,
  execute: 23,
  sendLongData: 24,
  closeStatement: 25,
  resetStatement: 26,
  fetch: 28,
  resetConnection: 31,
  bulkExecute: 250,
} as const;
