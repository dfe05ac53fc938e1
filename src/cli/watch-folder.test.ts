import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { lookMs, watchFolder } from './watch-folder.ts';

test('a data folder that is removed or replaced under a running process is told of once', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'selvage-folder-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [change, word] of [
    [(folder: string) => rmSync(folder, { recursive: true }), /was removed while it is in use/],
    [
      (folder: string) => {
        renameSync(folder, `${folder}-aside`);
        mkdirSync(folder);
      },
      /was replaced while it is in use/,
    ],
  ] as const) {
    const folder = join(root, 'server');
    mkdirSync(folder, { recursive: true });
    const clock = new FakeClock();
    const lines: string[] = [];
    const log = createLog({ level: 'warn', write: (line) => lines.push(line) });
    const watching = watchFolder(folder, { clock, log });
    await clock.advance(3 * lookMs);
    assert.deepEqual(lines, []);
    change(folder);
    await clock.advance(3 * lookMs);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, word);
    await watching.stop();
  }
});
