import type { BatchLogs, EpochLogs } from '../training/engine.ts';
import type { Callback, TrainingInfo } from './callback.ts';

/** Where progress is written: a Node stream, or anything like it. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

const barWidthMax = 24;
/** A narrow terminal gives up bar, not figures. */
const barWidthMin = 6;
/** Lines an epoch on a stream that is no terminal. */
const linesPerEpoch = 4;
const clearLine = '\r\u001b[2K';

/** Shows a training: epoch, bar, loss, accuracy, images/s and the time left of the whole training. A terminal's
 * line is redrawn in place; elsewhere a few plain lines an epoch are written. */
export function progressBar(
  stream: ProgressStream | undefined = globalThis.process?.stderr,
  { now = () => performance.now() }: { now?: () => number } = {},
): Callback {
  if (!stream) throw new Error('progressBar(stream) needs a stream here: there is no process.stderr');
  let info: TrainingInfo = { epochs: 1, examples: undefined, batchSize: 1 };
  let examples: number | undefined;
  let startMs = 0;
  /** What an earlier run had done of the whole and of the epoch at hand: this one's pace says nothing of it. */
  let startShare: number | undefined;
  let seenBefore = 0;
  let epochStartMs = 0;
  let rate = 0;
  let lastSeen = 0;
  let linesWritten = 0;

  function line(epoch: number, seen: number, figures: string): string {
    const nowMs = now();
    // An epoch's rate ends with its last batch: the validation after it is not training.
    if (seen > lastSeen) rate = ((seen - seenBefore) / Math.max(nowMs - epochStartMs, 1)) * 1000;
    lastSeen = seen;
    const epochShare = examples ? Math.min(1, seen / examples) : 0;
    const doneShare = (epoch + epochShare) / info.epochs;
    const elapsedMs = nowMs - startMs;
    const ownShare = doneShare - (startShare ?? 0);
    const leftMs = (elapsedMs / Math.max(ownShare, 1e-9)) * (1 - doneShare);
    const isKnown = doneShare < 1 && ownShare > 0;
    const time = isKnown ? `${duration(leftMs)} left` : `${duration(elapsedMs)} in all`;
    const title = `Epoch ${String(epoch + 1).padStart(String(info.epochs).length)}/${info.epochs}`;
    const speed = `${Math.round(rate).toLocaleString('en-US')} images/s`;
    const ending = ` ${figures}  ${speed}  ${time}`;
    const room = stream!.isTTY ? (stream!.columns ?? 120) - title.length - ending.length - 2 : barWidthMax;
    return `${title} ${bar(epochShare, Math.min(barWidthMax, Math.max(barWidthMin, room)))}${ending}`;
  }

  function draw(logs: BatchLogs): void {
    // It did not begin here: an earlier run did so, and was cut.
    if (startShare === undefined) {
      seenBefore = logs.seen;
      startShare = (logs.epoch + (examples ? logs.seen / examples : 0)) / info.epochs;
    }
    const text = line(logs.epoch, logs.seen, formatFigures(logs));
    if (stream!.isTTY) {
      stream!.write(clearLine + text.slice(0, (stream!.columns ?? 120) - 1));
      return;
    }
    const due = Math.floor((logs.seen / (examples ?? Infinity)) * linesPerEpoch);
    if (due <= linesWritten || due >= linesPerEpoch) return;
    linesWritten = due;
    stream!.write(`${text}\n`);
  }

  return {
    onTrainBegin(trainingInfo) {
      info = trainingInfo;
      examples = info.examples;
      startMs = now();
      epochStartMs = startMs;
      startShare = undefined;
      seenBefore = 0;
    },
    onEpochBegin(epoch) {
      startShare ??= epoch / info.epochs;
    },
    onBatchEnd: draw,
    onEpochEnd(epoch, logs) {
      // A data set that did not know its size has shown it by now.
      examples ??= lastSeen || undefined;
      const text = line(epoch, examples ?? lastSeen, formatFigures(logs));
      stream.write(stream.isTTY ? `${clearLine + text}\n` : `${text}\n`);
      epochStartMs = now();
      lastSeen = 0;
      seenBefore = 0;
      linesWritten = 0;
    },
    onTrainEnd() {
      // An epoch that was cut short has left an unfinished line.
      if (stream.isTTY && lastSeen > 0) stream.write('\n');
    },
  };
}

function bar(share: number, width: number): string {
  const full = Math.round(share * width);
  return '━'.repeat(full) + '─'.repeat(width - full);
}

function formatFigures(logs: BatchLogs | EpochLogs): string {
  const figures = Object.entries(logs).filter(([name]) => name !== 'epoch' && name !== 'seen');
  return figures.map(([name, value]) => `${name} ${value.toFixed(4)}`).join('  ');
}

/** "0:42", "12:05" or "1:02:03" */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}
