import type { Architecture } from './architecture.ts';
import { formatShape } from './shape.ts';

/** A model's layers as Keras' summary() shows them. */
export function summarize(name: string, { layers, parameterCount }: Architecture): string {
  const count = (value: number) => value.toLocaleString('en-US');
  const rows = layers.map(({ layer, name, outputShape, parameters }) => [
    `${name} (${layer.type})`,
    formatShape(outputShape),
    count(parameters.reduce((total, parameter) => total + parameter.size, 0)),
  ]);
  const table = [['Layer (type)', 'Output shape', 'Parameters'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const line = ([layer, shape, size]: string[]) =>
    `${layer!.padEnd(widths[0]!)}  ${shape!.padEnd(widths[1]!)}  ${size!.padStart(widths[2]!)}`;
  const rule = '─'.repeat(widths.reduce((total, width) => total + width + 2, -2));
  const body = [line(table[0]!), rule, ...rows.map(line), rule];
  const kibibytes = ((parameterCount * 4) / 1024).toFixed(1);
  return [`Model: ${name}`, ...body, `Parameters: ${count(parameterCount)} (${kibibytes} KiB)`].join('\n');
}
