// A camera that plays recorded frames: it sends each to the preprocess service of its own site, and every few
// seconds sends the collector in the cloud a summary. What it captured never leaves the site as a stream.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const site = process.env.SITE ?? 'unknown';
const frameMs = Number(process.env.FRAME_MS ?? 50);
const summaryMs = Number(process.env.SUMMARY_MS ?? 2000);
/** A frame that is not answered by then is of no use any more. */
const timeoutMs = Number(process.env.TIMEOUT_MS ?? 5000);

/** Records in CIFAR-10's layout: one label byte, then 1,024 red, green and blue bytes each. */
const recordBytes = 3073;
const recording = readFileSync(join(import.meta.dirname, 'frames.bin'));
const recorded = Math.floor(recording.length / recordBytes);

const latencyCountMax = 1000;
const totals = {
  site,
  frames: 0,
  failures: 0,
  bytesCaptured: 0,
  correct: 0,
  labels: {} as Record<string, number>,
};
const latenciesMs: number[] = [];

async function capture(): Promise<void> {
  const at = (totals.frames % recorded) * recordBytes;
  const frame = recording.subarray(at + 1, at + recordBytes);
  totals.frames++;
  totals.bytesCaptured += frame.length;
  const startMs = performance.now();
  const response = await fetch('http://preprocess/', {
    method: 'POST',
    body: frame,
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`preprocess answered ${response.status}: ${await response.text()}`);
  const { label, index } = (await response.json()) as { label: string; index: number };
  latenciesMs.push(performance.now() - startMs);
  if (latenciesMs.length > latencyCountMax) latenciesMs.shift();
  totals.labels[label] = (totals.labels[label] ?? 0) + 1;
  if (index === recording[at]) totals.correct++;
}

function summary() {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
  return { ...totals, frameLatencyMs: { p50: at(0.5), p99: at(0.99) } };
}

/** Runs `action` every `periodMs`, never twice at once; a failure is counted, said, and tried again. */
function repeat(periodMs: number, action: () => Promise<void>): void {
  const tick = async () => {
    const dueMs = performance.now() + periodMs;
    await action().catch((error: Error) => {
      totals.failures++;
      console.error(error.message);
    });
    setTimeout(tick, Math.max(0, dueMs - performance.now()));
  };
  setTimeout(tick, periodMs);
}

repeat(frameMs, capture);
repeat(summaryMs, async () => {
  await fetch('http://collector/summary', {
    method: 'POST',
    body: JSON.stringify(summary()),
    signal: AbortSignal.timeout(timeoutMs),
  });
});

export default { fetch: () => Response.json(summary()) };
