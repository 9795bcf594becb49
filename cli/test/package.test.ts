import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, expectCommand, runCommand } from '@trafficcopy/lab';
import { VERSION } from '@trafficcopy/runtime';
import { TestHost } from './kit/test-host.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILD = join(ROOT, 'scripts/package.sh');
const NODE = '/usr/lib/trafficcopy/bin/node';
const TARGET_IP = '10.16.12.11';
const REQUESTS = 20;
/** A page with a script of ours and a library in it: both have to be in the package. */
const REPORT = '/var/log/trafficcopy/a.html';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-package-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function build(name: string): Promise<string> {
  const output = join(directory, name);
  return (await expectCommand(BUILD, ['--output', output], { timeoutMs: 110_000 })).trim();
}

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Built once, by whoever asks first. */
let first: Promise<string> | undefined;
function firstBuild(): Promise<string> {
  first ??= build('first');
  return first;
}

describe('building the package for hosts', () => {
  it('names and describes it as Debian wants it', async () => {
    const file = await firstBuild();
    const architecture = (await expectCommand('dpkg', ['--print-architecture'])).trim();
    assert.equal(basename(file), `trafficcopy_${VERSION}_${architecture}.deb`);
    const fields = await expectCommand('dpkg-deb', ['--field', file]);
    assert.match(fields, new RegExp(`^Architecture: ${architecture}$`, 'm'));
    assert.match(fields, /^Depends: .*libmnl0 .*libnetfilter-queue1 .*libpcap0\.8 .*iptables$/m);
    const owners = (await expectCommand('dpkg-deb', ['--contents', file]))
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/)[1]);
    assert.deepEqual([...new Set(owners)], ['root/root']);
  });

  it('gives the same again, octet by octet', async () => {
    assert.equal(digest(await build('second')), digest(await firstBuild()));
  });

  it('refuses an architecture that the parts are not for', async () => {
    const other = (await expectCommand('dpkg', ['--print-architecture'])).trim() === 'amd64' ? 'arm64' : 'amd64';
    const { status, stderr } = await runCommand(BUILD, ['--output', directory, '--arch', other]);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`bin/node is for .*, not for ${other}: give --node and --addon`));
  });
});

describe('the package for hosts', () => {
  let file = '';
  let host: TestHost;

  before(async () => {
    file = await firstBuild();
    host = await TestHost.start();
    copyFileSync(file, join(host.layer, basename(file)));
  });

  after(() => host?.close());

  it('installs a program that needs no other Node.js', async () => {
    await host.expect('dpkg', ['--force-unsafe-io', '--install', `/${basename(file)}`]);
    assert.equal(await host.expect('trafficcopy', ['--version']), `${VERSION}\n`);
    assert.match(await host.expect('trafficcopy', ['copy', '--help']), /^Usage: trafficcopy copy/);
    assert.equal(await host.expect(NODE, ['--version']), `${process.version}\n`);
    for (const program of ['copy', 'intercept']) {
      const example = `/etc/trafficcopy/${program}-example.yaml`;
      assert.match(await host.expect('trafficcopy', [program, '--config', example, '--check']), /^All of it is right/);
    }
  });

  it('has a doctor for what its files say', async () => {
    for (const [program, checked] of [
      ['copy', 'capture'],
      ['intercept', 'iptables'],
    ] as const) {
      const example = `/etc/trafficcopy/${program}-example.yaml`;
      const { status, stdout, stderr } = await host.run('trafficcopy', [
        'doctor',
        program,
        '--config',
        example,
        '--json',
      ]);
      // Whether this host is fit is the host's affair; nothing of the program is missing.
      assert.ok(status === 0 || status === 1, stderr);
      assert.equal(stderr, '');
      assert.ok(JSON.stringify(JSON.parse(stdout)).includes(checked), stdout);
    }
  });

  it('brings manual pages and completions', async () => {
    const page = await host.expect('man', ['--warnings', 'trafficcopy-intercept']);
    assert.match(page, /--queue-length/);
    const load =
      'source /usr/share/bash-completion/completions/trafficcopy; COMP_WORDS=(trafficcopy inter); COMP_CWORD=1; _trafficcopy; echo "$COMPREPLY"';
    assert.equal(await host.expect('bash', ['-c', load]), 'intercept\n');
    await host.expect('zsh', ['--no-exec', '/usr/share/zsh/vendor-completions/_trafficcopy']);
    const offered = await host.expect('fish', [
      '--no-config',
      '-c',
      'set fish_complete_path /usr/share/fish/vendor_completions.d; complete -C "trafficcopy inter"',
    ]);
    assert.match(offered, /^intercept\t/);
  });

  it('brings units that systemd takes, and that may do little', async () => {
    const units = ['trafficcopy-copy@a.service', 'trafficcopy-intercept@a.service'];
    const { status, stdout, stderr } = await host.run('systemd-analyze', ['verify', ...units]);
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
    // The exposure that systemd gives, in tenths: 96 for a service that is not restricted at all.
    for (const [unit, threshold] of [
      [units[0]!, 22],
      [units[1]!, 31],
    ] as const) {
      await host.expect('systemd-analyze', ['security', '--no-pager', `--threshold=${threshold}`, unit]);
    }
  });

  it('has units that copy, from files in /etc/trafficcopy', async () => {
    await host.expect('ip', ['address', 'add', `${TARGET_IP}/32`, 'dev', 'lo']);
    for (const [name, port, address] of [
      ['online', 80, '127.0.0.1'],
      ['target', 8080, TARGET_IP],
    ] as const) {
      const server = `require('http').createServer((request, response) => response.end('${name}')).listen(${port}, '${address}')`;
      await host.expect('systemd-run', [`--unit=${name}`, NODE, '-e', server]);
    }
    await writeConfig('intercept-a', 'target: 8080\nmetrics: 9101\n');
    await host.expect('systemctl', ['start', 'trafficcopy-intercept@a']);
    await eventually('intercept has printed a token', 30_000, async () => {
      const journal = await host.expect('journalctl', ['--unit=trafficcopy-intercept@a', '--output=cat']);
      return /--join tc1\.\S+/.test(journal);
    });
    const token = /--join (tc1\.\S+)/.exec(await host.expect('trafficcopy', ['intercept', '--new-token']))?.[1];
    await writeConfig(
      'copy-a',
      `targets: [{address: ${TARGET_IP}, ports: [{source: 80, target: 8080}]}]\ndelivery: Tunnel\nclientAddress: 10.9.9.9\nmetrics: 9100\njoin: ${token}\nreport: ${REPORT}\n`,
    );
    await host.expect('systemctl', ['start', 'trafficcopy-copy@a']);
    await eventually(
      'copy is ready',
      30_000,
      () => ask(9100, 'readyz'),
      () => host.expect('journalctl', ['--unit=trafficcopy-copy@a', '--output=cat']),
    );
    for (let request = 0; request < REQUESTS; request += 1) assert.equal(await ask(80, ''), 'online');
    await eventually('all requests are delivered', 30_000, async () => {
      const metrics = await ask(9100, 'metrics');
      return metrics.includes(`\ntrafficcopy_copy_turns_delivered_total ${REQUESTS}\n`);
    });
  });

  it('has a copy that runs as its own user, with one capability', async () => {
    const pid = (
      await host.expect('systemctl', ['show', '--property=MainPID', '--value', 'trafficcopy-copy@a'])
    ).trim();
    const status = await host.expect('cat', [`/proc/${pid}/status`]);
    const uid = (await host.expect('id', ['--user', 'trafficcopy'])).trim();
    assert.match(status, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
    // 1 << CAP_NET_RAW
    assert.match(status, /^CapEff:\t0000000000002000$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
  });

  it('starts what runs anew when it is upgraded, and leaves the configuration', async () => {
    const show = ['show', '--property=MainPID', 'trafficcopy-copy@a', 'trafficcopy-intercept@a'];
    const earlier = (await host.expect('systemctl', show)).match(/\d+/g) ?? [];
    await writeConfig('copy-example', '# mine\n');
    await host.expect('dpkg', ['--force-unsafe-io', '--install', `/${basename(file)}`]);
    const now = (await host.expect('systemctl', show)).match(/\d+/g) ?? [];
    assert.equal(earlier.length, 2);
    assert.deepEqual([now.length, now.filter((pid) => pid === '0' || earlier.includes(pid))], [2, []]);
    assert.equal(await host.expect('cat', ['/etc/trafficcopy/copy-example.yaml']), '# mine\n');
    await eventually('copy is ready again', 30_000, () => ask(9100, 'readyz'));
  });

  it('puts the rules back when the units stop', async () => {
    assert.match(await host.expect('iptables-save', []), /trafficcopy:/);
    await host.expect('systemctl', ['stop', 'trafficcopy-copy@a', 'trafficcopy-intercept@a']);
    assert.doesNotMatch(await host.expect('iptables-save', []), /trafficcopy:/);
    for (const unit of ['trafficcopy-copy@a', 'trafficcopy-intercept@a']) {
      assert.equal(await host.expect('systemctl', ['show', '--property=Result', '--value', unit]), 'success\n');
    }
  });

  it('has all that a report is made of', async () => {
    const page = await host.expect('cat', [REPORT]);
    assert.match(page, /uPlot[\s\S]*<\/html>\s*$/);
  });

  it('ends a copy in order also while its workers start', async () => {
    await writeConfig('copy-early', `map: 80-${TARGET_IP}:8080\nclientAddress: 10.9.9.9\ninsecure: true\nthreads: 2\n`);
    const unit = 'trafficcopy-copy@early';
    await host.expect('systemctl', ['start', unit]);
    const group = (await host.expect('systemctl', ['show', '--property=ControlGroup', '--value', unit])).trim();
    await eventually('the workers are there', 30_000, async () => {
      return (await host.expect('cat', [`/sys/fs/cgroup${group}/cgroup.procs`])).trim().split('\n').length === 3;
    });
    await host.expect('systemctl', ['stop', unit]);
    const journal = await host.expect('journalctl', [`--unit=${unit}`, '--output=cat']);
    assert.equal(await host.expect('systemctl', ['show', '--property=Result', '--value', unit]), 'success\n', journal);
    assert.doesNotMatch(journal, /fault of the program/);
  });

  it('does not start a copy again and again whose file is wrong', async () => {
    await writeConfig('copy-wrong', 'mapp: 80-10.16.12.11:8080\n');
    await host.expect('systemctl', ['start', 'trafficcopy-copy@wrong']);
    await eventually('the unit has failed', 30_000, async () => {
      return (await host.run('systemctl', ['is-failed', 'trafficcopy-copy@wrong'])).stdout === 'failed\n';
    });
    const show = ['show', '--property=ExecMainStatus,NRestarts', 'trafficcopy-copy@wrong'];
    assert.deepEqual((await host.expect('systemctl', show)).trim().split('\n').sort(), [
      'ExecMainStatus=2',
      'NRestarts=0',
    ]);
    const journal = await host.expect('journalctl', ['--unit=trafficcopy-copy@wrong', '--output=cat']);
    assert.match(journal, /copy-wrong\.yaml:1: mapp: unknown key \(Did you mean map\?\)/);
  });

  it('stops what runs when it is removed, and leaves nothing when it is purged', async () => {
    await host.expect('systemctl', ['start', 'trafficcopy-intercept@a']);
    await eventually('intercept serves', 30_000, async () =>
      (await host.expect('iptables-save', [])).includes('trafficcopy:'),
    );
    await host.expect('dpkg', ['--remove', 'trafficcopy']);
    assert.doesNotMatch(await host.expect('iptables-save', []), /trafficcopy:/);
    assert.match(await host.expect('ls', ['/etc/trafficcopy']), /copy-a\.yaml/);
    await host.expect('dpkg', ['--purge', 'trafficcopy']);
    assert.equal((await host.run('id', ['trafficcopy'])).status, 1);
    // What lies in the layer: not the marks that overlayfs makes where something was deleted (character devices 0, 0), nor the
    // cache of what "man" was asked for, which it keeps for itself.
    const left = readdirSync(host.layer, { recursive: true, encoding: 'utf8' }).filter((path) => {
      if (!/trafficcopy/.test(path) || path === basename(file) || path.startsWith('var/cache/man/')) return false;
      return !lstatSync(join(host.layer, path)).isCharacterDevice();
    });
    assert.deepEqual(left, []);
  });

  async function writeConfig(name: string, yaml: string): Promise<void> {
    await host.expect('sh', ['-c', `umask 027; cat >/etc/trafficcopy/${name}.yaml`], yaml);
  }

  async function ask(port: number, path: string): Promise<string> {
    return host.expect('curl', [
      '--silent',
      '--show-error',
      '--fail',
      '--max-time',
      '10',
      `http://127.0.0.1:${port}/${path}`,
    ]);
  }
});
