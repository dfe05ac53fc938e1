import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { csvRecords } from '../datasets/csv.ts';
import { type CsvOptions, csvDataset } from './csv-dataset.ts';

async function records(...chunks: string[]): Promise<[number, string[]][]> {
  async function* text() {
    yield* chunks;
  }
  const found = await Array.fromAsync(csvRecords(text(), { name: 'a.csv' }));
  return found.map(({ line, cells }) => [line, cells]);
}

test('records are split at separators and line ends, but not within quotes', async () => {
  assert.deepEqual(await records('a,b\r\n"1,5","say ""hi""\nthere"\n\n,""'), [
    [1, ['a', 'b']],
    [2, ['1,5', 'say "hi"\nthere']],
    [5, ['', '']],
  ]);
});

test('where the text is cut into chunks does not matter', async () => {
  const text = 'x,"a ""b"", c"\r\n"","\n"\n1,2';
  assert.deepEqual(await records(...text), await records(text));
});

test('broken quotes are refused with file and line', async () => {
  await assert.rejects(records('a,b\n1,"x'), /a\.csv:2: a quote is not closed/);
  await assert.rejects(records('a,b\n"x"y,2'), /a\.csv:2: "y" after a closing quote, expected , or the end/);
  await assert.rejects(records('a"b'), /a\.csv:1: a quote within a cell/);
  await assert.rejects(records(`"${'x'.repeat(2 ** 20 + 1)}`), /a cell of more than 1048576 characters/);
});

async function load(context: TestContext, text: string, options: CsvOptions) {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-csv-'));
  context.after(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, 'fruit.csv'), text);
  return csvDataset(join(dir, 'fruit.csv'), options);
}

const text = '\ufeffweight,colour,kind\n150,red,apple\n120,yellow,banana\n"1e2",green,apple\n';

test('columns become numbers and zeros with a one, the label a class', async (context) => {
  const { dataset, columns, classNames } = await load(context, text, {
    label: 'kind',
    categorical: { colour: true },
  });
  assert.deepEqual(columns, ['weight', 'colour=green', 'colour=red', 'colour=yellow']);
  assert.deepEqual(classNames, ['apple', 'banana']);
  assert.equal(dataset.examples, 3);
  const examples = await Array.fromAsync(dataset);
  assert.deepEqual(
    examples.map(({ x, y }) => [[...x.data], y]),
    [
      [[150, 0, 1, 0], 0],
      [[120, 0, 0, 1], 1],
      [[100, 1, 0, 0], 0],
    ],
  );
});

test('a label may be a value, a file may have no header line', async (context) => {
  const { dataset } = await load(context, '1;2\n3;4\n', {
    header: ['x', 'y'],
    separator: ';',
    label: 'y',
    labelKind: 'value',
  });
  const examples = await Array.fromAsync(dataset);
  assert.deepEqual(
    examples.map(({ x, y }) => [x.data, y]),
    [
      [Float32Array.of(1), Float32Array.of(2)],
      [Float32Array.of(3), Float32Array.of(4)],
    ],
  );
});

test('what does not fit is named by file, line and column', async (context) => {
  const pass = async (options: CsvOptions, content = text) =>
    Array.fromAsync((await load(context, content, options)).dataset);
  await assert.rejects(pass({ label: 'kind' }), /fruit\.csv:2: column "colour" is "red", expected a number/);
  await assert.rejects(pass({ label: 'type' }), /has no column "type"; it has weight, colour, kind/);
  const colours = { categorical: { colour: ['red', 'yellow'] } };
  await assert.rejects(
    pass({ label: 'kind', ...colours }),
    /fruit\.csv:4: column "colour" is "green", expected one of red, yellow/,
  );
  await assert.rejects(
    pass({ label: 'a' }, 'a,b\n1,2\n1\n'),
    /fruit\.csv:3: 1 cells, expected 2 as in the header/,
  );
  await assert.rejects(pass({}, ''), /is empty: expected a header line/);
});
