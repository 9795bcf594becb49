/** The Dockerfiles, as far as they can be wrong without failing to build. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const NAMES = ['copy', 'intercept', 'operator'] as const;

test('the stages that build are the same in all three, so that they are built once', () => {
  const [copy, ...others] = NAMES.map((name) => {
    const text = dockerfile(name);
    return text.slice(text.indexOf('ARG NODE_IMAGE'), text.indexOf(' AS dependencies'));
  });
  for (const other of others) assert.equal(other, copy);
});

test('npm finds the manifest of every workspace', () => {
  const { workspaces }: { workspaces: string[] } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
  const ignored = readFileSync(`${ROOT}.dockerignore`, 'utf8').split('\n');
  for (const workspace of workspaces) {
    assert.match(dockerfile('copy'), new RegExp(`^COPY ${workspace}/package.json ${workspace}/$`, 'm'));
    assert.ok(ignored.includes(`!/${workspace}`) || ignored.includes(`!/${workspace}/package.json`), workspace);
  }
});

for (const name of NAMES) {
  test(`the image of ${name} has a user by number, the licences, and no toolchain`, () => {
    const text = dockerfile(name);
    const shipped = text.slice(text.lastIndexOf('\nFROM '));
    assert.match(shipped, /^\nFROM \$\{BASE_IMAGE\}\n/);
    assert.match(shipped, name === 'operator' ? /^USER 65532:65532$/m : /^USER 0:0$/m);
    assert.match(shipped, /^COPY LICENSE NOTICE /m);
    // A SIGTERM during the start must end the container: Node.js as the first process would not get it.
    assert.match(shipped, /^ENTRYPOINT \["\/usr\/bin\/tini", "--", "\/usr\/local\/bin\/trafficcopy"\]$/m);
    assert.doesNotMatch(shipped, /npm|g\+\+|-dev\b|x86|amd64|arm64|aarch64/);
  });
}

function dockerfile(name: (typeof NAMES)[number]): string {
  return readFileSync(`${ROOT}Dockerfile.${name}`, 'utf8');
}
