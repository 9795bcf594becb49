import type { Protocol } from '../protocol.js';
import { MysqlPlayer } from './mysql-player.js';

export const MYSQL: Protocol = { name: 'mysql', player: (parts) => new MysqlPlayer(parts) };
