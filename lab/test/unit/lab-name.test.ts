import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabName } from '../../src/lab-name.js';

test('a name of this process parses back and says that its owner is alive', () => {
  const name = LabName.ofThisProcess(3);
  const parsed = LabName.parse(name.hostName('client'));
  assert.equal(parsed?.toString(), name.toString());
  assert.equal(parsed?.isOwnerAlive, true);
});

test('a process that was given the pid of a dead owner later does not pass for it', () => {
  const name = LabName.ofThisProcess(1);
  assert.equal(new LabName(name.ownerPid, name.ownerStartTicks - 1, 1).isOwnerAlive, false);
});

test('names that no lab gives are left alone', () => {
  for (const name of ['', 'default', 'tclab', 'tclab.1.2', 'tclab.x.2.3', 'xtclab.1.2.3', 'tclab.1.2.3.a/b']) {
    assert.equal(LabName.parse(name), undefined, name);
  }
});
