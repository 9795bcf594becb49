import type { CopyConfig } from '../config.js';
import { LOGIN_PAYLOAD_BYTES, LOGIN_READ_BYTES } from './engine-protocols.js';
import { readLoginFile } from './login-file.js';

/**
 * The configuration with what the file of --credentials says.
 *
 * @throws UsageError
 */
export function loginConfig(config: CopyConfig): CopyConfig {
  const { credentialsFile, mappings } = config;
  if (credentialsFile === undefined) return config;
  const logins = readLoginFile(credentialsFile, new Set(mappings.map(({ onlinePort }) => onlinePort)));
  const loginBytes = config.connect ? LOGIN_READ_BYTES : LOGIN_PAYLOAD_BYTES;
  const responsePayloadBytes = Math.max(config.responsePayloadBytes, loginBytes);
  return { ...config, logins, responsePayloadBytes };
}
