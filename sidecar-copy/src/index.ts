/**
 * The copy: captures what clients send to a running server and plays the clients towards targets, session by session.
 *
 *     ring ──► engine ──► lane ──► sink ──► channel or raw socket ──► target
 *                ▲                              │
 *                └──────── HEADERS ◄── intercept ◄── answers of the target
 *
 * pipeline.ts is that walk. capture/ has its sources, channel/ the way to each intercept, sink/ the two deliveries, copy.ts
 * puts them together. What it does is a plan (copy-plan.ts), which can be replaced while it runs: on the command line one is made
 * of the flags, and main.ts adds what a user sees; under an operator each CONFIG frame is a new one (operator/). All of it runs on one thread. Invariants: nothing here can slow or change
 * production (the capture is a copy of what the kernel handles anyway, and what it has no room for is dropped and counted);
 * every queue is bounded; traffic ends the program never, a refusal that only a person can mend ends it with exit code 1.
 */
export * from './config.js';
export { loginConfig } from './logins/login-config.js';
export { runCopy } from './main.js';
export { runManagedCopy } from './operator/managed-program.js';
