import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { createStatusReporter, reportIntervalMs, type StatusPatch } from './status-reporter.ts';

function reporting() {
  const clock = new FakeClock();
  const sent: StatusPatch[] = [];
  const lines: string[] = [];
  const state = { isDown: false };
  const reporter = createStatusReporter({
    clock,
    say: (text) => lines.push(text),
    async send(status) {
      if (state.isDown) throw new Error('no link');
      sent.push(status);
    },
  });
  return { clock, sent, lines, state, reporter };
}

test('of progress that is told often only the newest goes out, at a bounded rate', async () => {
  const { clock, sent, reporter } = reporting();
  for (let step = 1; step <= 100; step += 1) {
    reporter.tell({ progress: { step } });
    await clock.advance(reportIntervalMs / 10);
  }
  assert.ok(sent.length >= 10 && sent.length <= 11, `${sent.length} reports`);
  assert.equal(sent[0]!.progress!.step, 1);
  const steps = sent.map(({ progress }) => progress!.step!);
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  );
  reporter.stop();
});

test('a lost link is told once and loses old progress only', async () => {
  const { clock, sent, lines, state, reporter } = reporting();
  state.isDown = true;
  for (let step = 1; step <= 5; step += 1) {
    reporter.tell({ progress: { step } });
    await clock.advance(reportIntervalMs);
  }
  state.isDown = false;
  reporter.tell({ progress: { step: 6 } });
  await clock.advance(reportIntervalMs);
  assert.deepEqual(sent, [{ progress: { step: 6 } }]);
  assert.deepEqual(lines, [
    'the API server does not hear of the progress; training goes on: no link',
    'the API server is back',
  ]);
});

test('what was on its way when the link broke goes along with the last word', async () => {
  const { clock, sent, state, reporter } = reporting();
  state.isDown = true;
  reporter.tell({ progress: { step: 9 } });
  await clock.advance(reportIntervalMs);
  state.isDown = false;
  await reporter.insist({ result: { parameters: 1 } });
  assert.deepEqual(sent, [{ progress: { step: 9 }, result: { parameters: 1 } }]);
});

test('the last word waits for the link, and takes along what was not told yet', async () => {
  const { clock, sent, state, reporter } = reporting();
  state.isDown = true;
  reporter.tell({ progress: { step: 7 } });
  const arrived = reporter.insist({ result: { parameters: 1 } });
  await clock.advance(60_000);
  assert.deepEqual(sent, []);
  state.isDown = false;
  await clock.advance(60_000);
  await arrived;
  assert.deepEqual(sent, [{ progress: { step: 7 }, result: { parameters: 1 } }]);
});
