import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './clock.ts';
import {
  idleCheckMs,
  idleChecks,
  idleCpuShareMax,
  outsideBytesMin,
  releasedHeapBytesMax,
  releaseGapMs,
  releaseMemoryWhenIdle,
  surplusBytesMin,
} from './idle-memory.ts';

const mb = 1024 * 1024;

/** A process that works for `workMs` in each check's time, and holds what it is told to. */
class Owner {
  workMs = 0;
  usedBytes = 20 * mb;
  heapBytes = 40 * mb;
  outsideBytes = 70 * mb;
  releases = 0;
  trims = 0;
  #cpuMs = 0;

  cpuMs(): number {
    this.#cpuMs += this.workMs;
    return this.#cpuMs;
  }
  memory(): { usedBytes: number; heapBytes: number; outsideBytes: number } {
    return { usedBytes: this.usedBytes, heapBytes: this.heapBytes, outsideBytes: this.outsideBytes };
  }
  collect(): void {
    this.releases += 1;
    this.heapBytes = this.usedBytes;
  }
  async trim(): Promise<void> {
    this.trims += 1;
  }
}

function start() {
  const clock = new FakeClock();
  const owner = new Owner();
  return { clock, owner, running: releaseMemoryWhenIdle({ clock, owner }) };
}

test('memory is given back when a burst of work is over, and not while it goes on', async () => {
  const { clock, owner, running } = start();
  owner.workMs = idleCheckMs * idleCpuShareMax * 2;
  await clock.advance(10 * idleCheckMs);
  assert.equal(owner.releases, 0);
  owner.workMs = 0;
  await clock.advance((idleChecks - 1) * idleCheckMs);
  assert.equal(owner.releases, 0, 'a gap between two bursts');
  await clock.advance(idleCheckMs);
  assert.equal(owner.releases, 1);
  await running.stop();
});

test('it is given back again when enough has come together anew, and not sooner than the gap', async () => {
  const { clock, owner, running } = start();
  await clock.advance(idleChecks * idleCheckMs);
  assert.equal(owner.releases, 1);
  await clock.advance(2 * releaseGapMs);
  assert.equal(owner.releases, 1, 'nothing has come together');
  owner.heapBytes += surplusBytesMin;
  await clock.advance(idleCheckMs);
  assert.equal(owner.releases, 2);
  owner.heapBytes += surplusBytesMin;
  await clock.advance(releaseGapMs - idleCheckMs);
  assert.equal(owner.releases, 2);
  await clock.advance(2 * idleCheckMs);
  assert.equal(owner.releases, 3);
  await running.stop();
});

test('what lies outside of the heap is given back when it has grown by much, and the rest is what counts then', async () => {
  const { clock, owner, running } = start();
  await clock.advance(idleChecks * idleCheckMs);
  assert.deepEqual([owner.releases, owner.trims], [1, 0], 'a start');
  owner.outsideBytes += outsideBytesMin;
  await clock.advance(2 * releaseGapMs);
  assert.deepEqual([owner.releases, owner.trims], [2, 1], 'what stays after a trim is used');
  owner.outsideBytes += outsideBytesMin;
  await clock.advance(2 * releaseGapMs);
  assert.deepEqual([owner.releases, owner.trims], [3, 2]);
  await running.stop();
});

test('a large heap is left alone, since its collection would stop the process for long', async () => {
  const { clock, owner, running } = start();
  owner.usedBytes = releasedHeapBytesMax + 1;
  owner.heapBytes = 2 * releasedHeapBytesMax;
  await clock.advance(10 * idleCheckMs);
  assert.equal(owner.releases, 0);
  await running.stop();
});

test('after the stop nothing is given back', async () => {
  const { clock, owner, running } = start();
  await running.stop();
  await clock.advance(10 * idleCheckMs);
  assert.equal(owner.releases, 0);
});

test('this process keeps working through a release', async () => {
  const clock = new FakeClock();
  const garbage = Array.from({ length: 300_000 }, (_, index) => ({ index }));
  const before = process.memoryUsage().heapTotal;
  assert.equal(garbage.length, 300_000);
  garbage.length = 0;
  // The fake clock passes its time in less than a moment of the processor's, which is idle.
  const running = releaseMemoryWhenIdle({ clock });
  for (let check = 0; check < 20 && process.memoryUsage().heapTotal >= before; check++)
    await clock.advance(idleCheckMs);
  assert.ok(process.memoryUsage().heapTotal < before);
  await running.stop();
});
