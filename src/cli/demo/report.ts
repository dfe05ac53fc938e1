import { formatBytes, formatMs } from '../terminal/units.ts';
import type { Figures, Memory } from './figures.ts';

const width = 78;
const barWidth = 30;

/** The report that ends the demo, as lines without colour. */
export function renderReport(figures: Figures): string {
  const { boot, training, latency, traffic, memory, wan, dataSet, model, frameLatency } = figures;
  const wanText = `WAN simulated: ${wan.delayMs} ms each way, ${wan.bitsPerSecond / 1e6} Mbit/s`;
  const seconds = traffic.seconds.toFixed(0);
  return [
    title('Selvage: one cluster, two edges, one cloud'),
    '',
    heading('Learned'),
    row('data', `${dataSet.name}, ${dataSet.trainCount} images to train, ${dataSet.testCount} to test`),
    ...(dataSet.isGenerated
      ? [row('', 'GENERATED images, no photographs: the accuracy says nothing of CIFAR-10')]
      : []),
    row(
      'training',
      `${training.epochs} epochs in ${training.seconds.toFixed(1)} s, ${training.imagesPerSecond.toFixed(0)} images/s`,
    ),
    row('test accuracy', `${(100 * training.testAccuracy).toFixed(1)} %`),
    row('model', `graph f ${formatBytes(model.graphBytes)}, weights θ ${formatBytes(model.weightsBytes)}`),
    '',
    heading(`Answered, ${latency.count} requests each (${wanText})`),
    ...bars([
      [
        'at the edge',
        latency.edge.p50,
        `p50 ${formatMs(latency.edge.p50)}, p99 ${formatMs(latency.edge.p99)}`,
      ],
      [
        'from the cloud',
        latency.cloud.p50,
        `p50 ${formatMs(latency.cloud.p50)}, p99 ${formatMs(latency.cloud.p99)}`,
      ],
    ]),
    row('', `the edge answers ${latency.ratioP50.toFixed(0)} times sooner`),
    row(
      'whole frame',
      `camera > preprocess > classify > model: p50 ${formatMs(frameLatency.p50)}, p99 ${formatMs(frameLatency.p99)}`,
    ),
    '',
    heading(`Sent to the cloud in ${seconds} s (WAN simulated)`),
    ...bars([
      [
        'captured',
        traffic.capturedBytes,
        `${formatBytes(traffic.capturedBytes)} in ${traffic.frames} frames`,
      ],
      [
        'sent',
        traffic.applicationWanBytes,
        `${formatBytes(traffic.applicationWanBytes)}, ${(100 * traffic.share).toFixed(0)} % (${traffic.uncertainImages} uncertain images)`,
      ],
    ]),
    row(
      'control traffic',
      `${formatBytes(traffic.controlWanBytes)} between the agents and the control plane, beside that`,
    ),
    '',
    heading('Weighs and wakes'),
    row('API ready', formatMs(boot.apiReadyMs)),
    row('first pod Ready', `${formatMs(boot.firstPodReadyMs)} after the same start`),
    row('control plane', memoryText(memory.controlPlane)),
    ...Object.entries(memory.agents).map(([name, use]) => row(`agent ${name}`, memoryText(use))),
    row('pod parents', `${memoryText(memory.shims)}, one process a site`),
    row('pods', `${memoryText(memory.pods)}, ${memory.pods.count} isolates`),
    rule(),
  ].join('\n');
}

function title(text: string): string {
  const rest = width - text.length - 4;
  return `── ${text} ${'─'.repeat(rest)}`;
}

function rule(): string {
  return '─'.repeat(width);
}

function heading(text: string): string {
  return `  ${text}`;
}

function row(name: string, text: string): string {
  return `    ${name.padEnd(16)} ${text}`.trimEnd();
}

/** Bars on one scale, the longest full; a value above nothing shows at least a sliver. */
function bars(rows: [name: string, value: number, text: string][]): string[] {
  const largest = Math.max(...rows.map(([, value]) => value));
  return rows.map(([name, value, text]) => {
    const length = largest > 0 && value > 0 ? Math.max(1, Math.round((value / largest) * barWidth)) : 0;
    const bar = value > 0 && length === 1 && value / largest < 0.5 / barWidth ? '▏' : '█'.repeat(length);
    return `    ${name.padEnd(16)} ${bar.padEnd(barWidth)} ${text}`;
  });
}

function memoryText({ residentBytes, proportionalBytes }: Memory): string {
  const shared =
    proportionalBytes === undefined
      ? ''
      : ` (${formatBytes(proportionalBytes)} without what processes share)`;
  return `${formatBytes(residentBytes)} resident${shared}`;
}
