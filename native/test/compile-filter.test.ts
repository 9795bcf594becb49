import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileFilter, FilterError, NativeError } from '../lib/index.js';

describe('compileFilter', () => {
  it('takes an expression that libpcap understands', () => {
    compileFilter('');
    compileFilter('tcp dst port 80 and dst host 10.0.0.1');
    compileFilter('ip6 and (tcp dst port 80 or ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 60)');
  });

  it('refuses a wrong expression with what libpcap says', () => {
    assert.throws(
      () => compileFilter('tcp prot 80'),
      (error) =>
        error instanceof FilterError &&
        error instanceof NativeError &&
        error.code === 'ERR_NATIVE_FILTER' &&
        error.expression === 'tcp prot 80' &&
        /syntax error/.test(error.message),
    );
  });

  it('refuses an expression whose program is too long for the kernel', () => {
    const hosts = Array.from({ length: 2200 }, (_, index) => `src host 10.${index >> 8}.${index & 255}.1`);
    assert.throws(() => compileFilter(hosts.join(' or ')), {
      code: 'ERR_NATIVE_FILTER',
      message: /too long for the kernel/,
    });
  });
});
