import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

const program = `
import { setTimeout } from 'node:timers/promises';
import { untilToldToStop } from '${join(import.meta.dirname, 'parent.ts')}';
const told = untilToldToStop();
const work = setInterval(() => {}, 1000);
process.stdout.write('ready');
await told;
for (let line = 0; line < 3; line++) {
  process.stdout.write('stopping');
  await setTimeout(1);
}
clearInterval(work);
process.exitCode = 7;
`;

test('a process whose terminal is gone ends its work in order, though nobody hears it', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  child.kill('SIGHUP');
  assert.deepEqual(await once(child, 'exit'), [7, null]);
});
