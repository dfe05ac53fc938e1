/** By internal kind, e.g. `core.Pod`: the columns of its table as `[name, type, format, priority]`. */
export function readColumns(printers: string): Record<string, (string | number)[][]> {
  const definitions = new Map<string, (string | number)[][]>();
  for (const [, name, body] of printers.matchAll(
    /(\w+)\s*:?=\s*\[\]metav1\.TableColumnDefinition\{\n([\s\S]*?)\n\t\}\n/g,
  )) {
    definitions.set(name!, readRows(body!));
  }
  for (const [, name, body] of printers.matchAll(
    /(\w+) = append\(\1, \[\]metav1\.TableColumnDefinition\{\n([\s\S]*?)\n\t\}\.\.\.\)\n/g,
  )) {
    definitions.get(name!)!.push(...readRows(body!));
  }
  const kindOf = new Map<string, string>();
  for (const [, name, type] of printers.matchAll(/^func (print\w+)\(\w+ \*([\w.]+),/gm))
    kindOf.set(name!, type!);
  const columns: Record<string, (string | number)[][]> = {};
  for (const [, name, printer] of printers.matchAll(/h\.TableHandler\((\w+), (print\w+)\)/g)) {
    const kind = kindOf.get(printer!);
    const found = definitions.get(name!);
    if (!kind || !found) throw new Error(`${name} or ${printer} is not understood`);
    if (!kind.endsWith('List')) columns[kind] = found;
  }
  return columns;
}

function readRows(body: string): (string | number)[][] {
  return [...body.matchAll(/^\s*\{(Name: .*)\},?(?:\s*\/\/.*)?$/gm)].map(([, line]) => readColumn(line!));
}

function readColumn(line: string): (string | number)[] {
  const text = (field: string) => new RegExp(`\\b${field}: "([^"]*)"`).exec(line)?.[1] ?? '';
  const priority = Number(/Priority: (\d+)/.exec(line)?.[1] ?? 0);
  return [text('Name'), text('Type'), text('Format'), priority];
}
