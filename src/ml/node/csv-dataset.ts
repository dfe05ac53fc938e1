import { createReadStream } from 'node:fs';
import { type CsvRecord, csvRecords } from '../datasets/csv.ts';
import { Dataset } from '../datasets/dataset.ts';
import type { Example } from '../datasets/example.ts';

export interface CsvOptions {
  /** The column to learn. */
  label?: string;
  /** Whether the label is a class (by default) or a number. */
  labelKind?: 'class' | 'value';
  /** Columns that go into x; all but the label by default. */
  features?: string[];
  /** Columns that hold names rather than numbers, each with its values, or `true` to find them in the file. */
  categorical?: Record<string, string[] | true>;
  separator?: string;
  /** Names of the columns of a file that has no header line. */
  header?: string[];
}

export interface CsvDataset {
  /** x is float32 [features]: a number for each numeric column, and for each categorical one a 1 among zeros. */
  dataset: Dataset<Example>;
  /** What each number of x is: `age`, `colour=red`. */
  columns: string[];
  /** The label's values, by class number. */
  classNames: string[];
}

/** A column with more names than this is no category. */
const categoriesMax = 10_000;

interface Layout {
  label: number | undefined;
  features: { name: string; index: number; values: string[] | undefined }[];
  classNames: string[];
  count: number | undefined;
}

/** The examples of a CSV file with a header line. The file is gone through once to find categories and classes that
 * were not given, then again in every pass; no more than a stretch of it is in memory.
 * @throws Error that names file, line and column. */
export async function csvDataset(path: string, options: CsvOptions = {}): Promise<CsvDataset> {
  const layout = await readLayout(path, options);
  const { label, features, classNames, count } = layout;
  const columns = features.flatMap(
    ({ name, values }) => values?.map((value) => `${name}=${value}`) ?? [name],
  );

  async function* pass(): AsyncGenerator<Example> {
    for await (const record of records(path, options)) {
      const where = `${path}:${record.line}`;
      const data = new Float32Array(columns.length);
      let at = 0;
      for (const { name, index, values } of features) {
        const cell = record.cells[index]!;
        if (values) data[at + categoryOf(cell, values, where, name)] = 1;
        else data[at] = numberOf(cell, where, name);
        at += values?.length ?? 1;
      }
      yield {
        x: { dtype: 'float32', shape: [columns.length], data },
        ...target(record, where),
        source: where,
      };
    }
  }

  function target({ cells }: CsvRecord, where: string): Pick<Example, 'y'> {
    if (label === undefined) return {};
    const [cell, name] = [cells[label]!, options.label!];
    if (options.labelKind === 'value') return { y: Float32Array.of(numberOf(cell, where, name)) };
    return { y: categoryOf(cell, classNames, where, name) };
  }

  return { dataset: new Dataset(pass, { examples: count }), columns, classNames };
}

async function readLayout(path: string, options: CsvOptions): Promise<Layout> {
  const { categorical = {}, labelKind = 'class', label } = options;
  const names = options.header ?? (await firstRecord(path, options));
  const indexOf = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw new Error(`${path} has no column "${name}"; it has ${names.join(', ')}`);
    return index;
  };
  const wanted = options.features ?? names.filter((name) => name !== label);
  const known = {
    ...categorical,
    ...(label !== undefined && labelKind === 'class' && { [label]: true as const }),
  };
  const open = Object.entries(known).filter(([, values]) => values === true);
  const found = await findCategories(
    path,
    options,
    open.map(([name]) => [name, indexOf(name)]),
  );
  const valuesOf = (name: string) => {
    const values = categorical[name];
    return values === true ? found.values.get(name) : values;
  };
  return {
    label: label === undefined ? undefined : indexOf(label),
    features: wanted.map((name) => ({ name, index: indexOf(name), values: valuesOf(name) })),
    classNames: (label !== undefined && found.values.get(label)) || [],
    count: open.length > 0 ? found.count : undefined,
  };
}

/** The values of some columns in alphabetical order, and the number of records; reads nothing where no column is asked for. */
async function findCategories(path: string, options: CsvOptions, columns: [name: string, index: number][]) {
  const sets = new Map(columns.map(([name]) => [name, new Set<string>()]));
  let count = 0;
  if (columns.length > 0) {
    for await (const { cells } of records(path, options)) {
      count += 1;
      for (const [name, index] of columns) {
        const set = sets.get(name)!.add(cells[index]!);
        if (set.size > categoriesMax)
          throw new Error(
            `${path}: column "${name}" has more than ${categoriesMax} values: it is no category`,
          );
      }
    }
  }
  return { count, values: new Map([...sets].map(([name, set]) => [name, [...set].sort()])) };
}

/** The records after the header, each checked to have all columns. */
async function* records(path: string, options: CsvOptions): AsyncGenerator<CsvRecord> {
  let width = options.header?.length;
  for await (const record of csvRecords(read(path), { separator: options.separator ?? ',', name: path })) {
    if (width === undefined) {
      width = record.cells.length;
      continue;
    }
    if (record.cells.length !== width)
      throw new Error(
        `${path}:${record.line}: ${record.cells.length} cells, expected ${width} as in the header`,
      );
    yield record;
  }
}

async function firstRecord(path: string, { separator = ',' }: CsvOptions): Promise<string[]> {
  for await (const { cells } of csvRecords(read(path), { separator, name: path })) return cells;
  throw new Error(`${path} is empty: expected a header line with the columns' names`);
}

async function* read(path: string): AsyncGenerator<string> {
  let isFirst = true;
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    // Spreadsheets put a byte order mark before the first name.
    yield isFirst ? String(chunk).replace(/^\ufeff/, '') : String(chunk);
    isFirst = false;
  }
}

function numberOf(cell: string, where: string, column: string): number {
  const value = cell.trim() === '' ? Number.NaN : Number(cell);
  if (Number.isFinite(value)) return value;
  throw new Error(
    `${where}: column "${column}" is "${cell}", expected a number: give categorical: { ${JSON.stringify(column)}: true }, or leave it out of features`,
  );
}

function categoryOf(cell: string, values: string[], where: string, column: string): number {
  const at = values.indexOf(cell);
  if (at >= 0) return at;
  throw new Error(`${where}: column "${column}" is "${cell}", expected one of ${values.join(', ')}`);
}
