// Sessions at a terminal, by a real kubectl against `selvage up`: each file of sessions/ is what a person types and sees.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { runGroup, sessionFiles, textOf } from './sessions/group.ts';
import { missing, openShell } from './shell.ts';

/** `SESSION=apply,get` runs the files with one of those in their names. */
const files = sessionFiles(process.env.SESSION?.split(','));

test('kubectl shows and says what it does with Kubernetes', {
  skip: missing('kubectl', 'diff', 'curl'),
  timeout: 600_000,
  concurrency: 3,
}, async (t) => {
  assert.ok(files.length > 0, 'no sessions');
  const shell = openShell(t);
  await shell.start('selvage up --port 0').until(/API ready/);
  await shell.run('until kubectl wait --for=condition=Ready node/local --timeout=60s; do sleep 0.1; done');
  const groups = files.map((file) =>
    t.test(basename(file, '.txt'), async () => {
      const divergences = await runGroup(shell, file);
      assert.equal(divergences.length, 0, divergences.map(textOf).join('\n'));
    }),
  );
  await Promise.all(groups);
});
