/**
 * A program in place of an operator for tests in network namespaces:
 *
 *     node operator-program.js --authority FILE --port PORT
 *
 * FILE holds the authority's key and certificate, as `intercept` keeps them, so that both trust the same copies. Asked as the lab's
 * own programs are: configure (settings), stop (message), reports, close.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { CopySettings } from '@trafficcopy/core';
import { CertificateAuthority } from '@trafficcopy/runtime';
import { OperatorStandIn } from './operator-stand-in.js';

const { values } = parseArgs({ options: { authority: { type: 'string' }, port: { type: 'string' } } });
const pem = readFileSync(values.authority!, 'utf8');
const standIn = await OperatorStandIn.start({
  authority: new CertificateAuthority({
    key: /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n/.exec(pem)![0],
    certificate: /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/.exec(pem)![0],
  }),
  address: '0.0.0.0',
  port: Number(values.port),
});

const QUESTIONS: Readonly<Record<string, (argument: never) => unknown>> = {
  configure: (settings: CopySettings) => standIn.configure(settings),
  stop: (message: string) => standIn.stopCopies(message),
  /** The last one, and how many there were. */
  reports: () => ({ count: standIn.reports.length, last: standIn.reports.at(-1) ?? null }),
  close: () => standIn.close(),
};

process.on('message', async ({ id, question, argument }: { id: number; question: string; argument: never }) => {
  try {
    process.send!({ id, answer: (await QUESTIONS[question]!(argument)) ?? null });
  } catch (error) {
    process.send!({ id, error: String(error) });
  }
});
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
process.send!({ ready: { token: standIn.token } });
