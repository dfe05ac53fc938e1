// Programs written against other people's Kubernetes clients run unchanged.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openShell, root, type Shell } from './shell.ts';

const clients = join(root, 'tests', 'clients');

test('an operator that uses the official JavaScript client', {
  skip: absent('@kubernetes/client-node', () =>
    existsSync(join(clients, 'node', 'node_modules', '@kubernetes', 'client-node')),
  ),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  await up(shell);
  const output = await shell.run(`${process.execPath} ${join(clients, 'node', 'operator.mjs')}`, {
    timeoutMs: 200_000,
  });
  assert.deepEqual(stepsOf(output), [
    'typed create, read, replace with a conflict, patches, list by labels, delete',
    '25 secrets in pages of 10, deleted as a collection',
    'generic objects: apply, a conflict, force, dry run, scale, foreground deletion',
    'an informer with a selector: what was there, added, updated, deleted',
    'a watch from a revision, ended by the server after its timeout',
    'leader election by a Lease: five candidates, one leader at a time',
    'the namespace and all in it deleted',
  ]);
});

test("a script that uses Debian's Python client", {
  skip: absent(
    'python3-kubernetes',
    () => spawnSync('/usr/bin/python3', ['-c', 'import kubernetes']).status === 0,
  ),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  await up(shell);
  const output = await shell.run(`/usr/bin/python3 ${join(clients, 'python', 'session.py')}`, {
    timeoutMs: 200_000,
  });
  assert.deepEqual(stepsOf(output), [
    'typed deployment: defaults, 409, 422, strategic patch, scale, deletion',
    'a service from a dictionary gets its address and defaults',
    'a watch that goes on from a list',
    'the dynamic client finds kinds by discovery',
    "a service account's token, refused and then allowed by a role",
    "the client's own leader election over a ConfigMap",
    'the namespace and all in it deleted',
  ]);
});

async function up(shell: Shell): Promise<void> {
  await shell.start('selvage up --port 0').until(/API ready/, 60_000);
}

function stepsOf(output: string): string[] {
  return [...output.matchAll(/^done: (.*)$/gm)].map(([, step]) => step!);
}

/** Why a test can't run here; in CI a missing client is a failure. */
function absent(name: string, isThere: () => boolean): string | false {
  if (isThere()) return false;
  assert.ok(!process.env.CI, `CI needs ${name}`);
  return `not installed: ${name}`;
}
