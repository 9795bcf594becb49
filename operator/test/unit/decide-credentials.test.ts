/** What becomes of the Secret that spec.credentialsSecret names. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CredentialsState } from '../../src/traffic-copy/credentials-state.js';
import { decide } from '../../src/traffic-copy/decide.js';
import type { Decision } from '../../src/traffic-copy/decision.js';
import { COPIED, expect } from '../kit/decided.js';
import { observe, trafficCopy } from '../kit/observed.js';

const LOGINS = { credentialsSecret: { name: 'trafficcopy-logins' } };

function withCredentials(credentials: CredentialsState): Decision {
  return decide(observe({ ...COPIED, trafficCopy: trafficCopy(LOGINS), rest: { credentials } }));
}

describe('decide: credentials', () => {
  it('go to copies, and to nobody else', () => {
    const decision = withCredentials({ kind: 'known', text: 'password: geheim' });
    const { copySettings, ...others } = decision;
    assert.equal(copySettings.get('uid-a')?.credentials, 'password: geheim');
    assert.equal(copySettings.get('uid-a')?.state, 'running');
    assert.doesNotMatch(JSON.stringify(others), /geheim/);
    assert.ok(decision.lookAgainMs! <= 10_000, 'the Secret is looked at again');
    expect(decision, 'Ready', 'True', 'Copying');
  });

  it('are refused: nothing is copied, and the condition says why', () => {
    const problem = { reason: 'CredentialsMissing', message: 'no such Secret' };
    const decision = withCredentials({ kind: 'refused', problem });
    const settings = decision.copySettings.get('uid-a');
    assert.deepEqual([settings?.state, settings?.credentials], ['suspended', undefined]);
    expect(decision, 'Copying', 'False', 'CredentialsMissing', /no such Secret/);
    expect(decision, 'Ready', 'False', 'CredentialsMissing');
    assert.ok(decision.events.some(({ type, reason }) => type === 'Warning' && reason === 'CredentialsMissing'));
  });

  it('could not be looked at yet: copies go on as they are', () => {
    assert.equal(withCredentials({ kind: 'unread' }).copySettings.size, 0);
  });
});
