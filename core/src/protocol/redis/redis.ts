import type { Protocol } from '../protocol.js';
import { RedisPlayer } from './redis-player.js';

export const REDIS: Protocol = { name: 'redis', player: (parts) => new RedisPlayer(parts) };
