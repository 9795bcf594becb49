import type { Protocol } from '../protocol.js';
import { PostgresqlPlayer } from './postgresql-player.js';

export const POSTGRESQL: Protocol = { name: 'postgresql', player: (parts) => new PostgresqlPlayer(parts) };
