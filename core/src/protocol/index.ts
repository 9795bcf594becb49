/**
 * Application protocols whose logins must be rewritten: the target has another salt, and may have other users and passwords, than
 * online. One {@link Protocol} for each port of online that needs it; without one, octets go to the target as they are.
 *
 *   client ──octets of the turns that may go──▶ Player.translate ──▶ what the target is sent
 *                                                 ▲      │ speak: what the player says on its own account (a login)
 *   target ──octets, as far as they came along──▶ hear ──┘
 *
 * A {@link Player} is the module's part in one session. It is asked to translate only what the turn gate let go, in order, and takes as much of it
 * as it can make something of; what it leaves is offered again with what follows. Lengths may differ. While it is busy with a login it takes nothing,
 * so a turn that waits is not lost. Each target connection begins with `connect`: the player logs in again with what it knows of the session, and the first client octets
 * that follow are those of the turn that goes on.
 *
 * Players of all modules extend {@link StreamPlayer}; a login of several messages is an {@link Exchange} beside the player.
 *
 * Invariants. No octets of a client or a target make a player throw, loop, or hold more than a bound. A secret of the credentials leaves it only in the form that
 * the target's method asks for. What it cannot make sure of is not sent: a turn is lost with a reason rather than done to the wrong thing.
 */
export * from './credential.js';
export * from './digests.js';
export { MYSQL } from './mysql/mysql.js';
export { POSTGRESQL } from './postgresql/postgresql.js';
export * from './protocol.js';
export { REDIS } from './redis/redis.js';
