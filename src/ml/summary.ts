import type { Architecture, PlacedLayer } from './architecture.ts';
import { formatShape } from './shape.ts';

/** A model's layers as Keras' summary() shows them; where they are no stack, with what each is connected to. */
export function summarize(name: string, model: Architecture): string {
  const { layers, parameterCount } = model;
  const count = (value: number) => value.toLocaleString('en-US');
  const isStack = model.nodes.every(({ inputs, output }) => inputs.length === 1 && inputs[0] === output - 1);
  const rows = layers.map((placed) => [
    `${placed.name} (${placed.layer.type})`,
    formatShape(placed.outputShape),
    count(placed.parameters.reduce((total, parameter) => total + parameter.size, 0)),
    ...(isStack ? [] : [connections(model, placed)]),
  ]);
  const headings = ['Layer (type)', 'Output shape', 'Parameters', ...(isStack ? [] : ['Connected to'])];
  const table = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const cell = (text: string, column: number) =>
    column === 2 ? text.padStart(widths[2]!) : text.padEnd(widths[column]!);
  const line = (row: string[]) => row.map(cell).join('  ').trimEnd();
  const rule = '─'.repeat(widths.reduce((total, width) => total + width + 2, -2));
  const body = [line(table[0]!), rule, ...rows.map(line), rule];
  const kibibytes = ((parameterCount * 4) / 1024).toFixed(1);
  return [`Model: ${name}`, ...body, `Parameters: ${count(parameterCount)} (${kibibytes} KiB)`].join('\n');
}

/** The names of what a layer takes; the uses of a shared one are set apart by a semicolon. */
function connections({ inputs, nodes }: Architecture, layer: PlacedLayer): string {
  const nameOf = (tensor: number) => inputs[tensor]?.name ?? nodes[tensor - inputs.length]!.placed.name;
  return nodes
    .filter(({ placed }) => placed === layer)
    .map((node) => node.inputs.map(nameOf).join(', '))
    .join('; ');
}
