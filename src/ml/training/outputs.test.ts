import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as ml from '../index.ts';

/** What Keras 3 computed, by `write-outputs-fixtures.py`. */
interface KerasRun {
  after: number[];
  history: Record<string, number[]>;
  figures: Record<string, number>;
}
type Named<Name extends string> = Record<Name, number[]>;
const keras: {
  weights: number[];
  sample: number[];
  x: Named<'left' | 'right'>;
  heldX: Named<'left' | 'right'>;
  y: Named<'kind' | 'size'>;
  heldY: Named<'kind' | 'size'>;
  cases: Record<string, KerasRun>;
} = JSON.parse(readFileSync(new URL('../fixtures/keras-outputs.json', import.meta.url), 'utf8'));

const rows = (numbers: number[], width: number) =>
  ml.tensor(Float32Array.from(numbers), [numbers.length / width, width]);
const inputsOf = ({ left, right }: Named<'left' | 'right'>) => ({
  left: rows(left, 3),
  right: rows(right, 2),
});
const targetsOf = ({ kind, size }: Named<'kind' | 'size'>) => ({ kind, size: rows(size, 1) });
const [x, heldX, y, heldY] = [
  inputsOf(keras.x),
  inputsOf(keras.heldX),
  targetsOf(keras.y),
  targetsOf(keras.heldY),
];
const validationData: ml.ValidationData = [heldX, heldY];
const options = { epochs: 3, batchSize: 3, shuffle: false, validationData };
const flipped = keras.sample.toReversed();

function network(): ml.TrainableModel {
  const [left, right] = [ml.input([3], { name: 'left' }), ml.input([2], { name: 'right' })];
  const joined = ml.concatenate().apply(left, right);
  const seen = ml.dense(4, { activation: 'tanh', kernelRegularizer: ml.l2(0.01) }).apply(joined);
  const kind = ml.dense(3, { name: 'kind' }).apply(seen);
  const size = ml.dense(1, { name: 'size' }).apply(seen);
  const model = ml.model({ inputs: [left, right], outputs: [kind, size], threads: 1 });
  model.weights = Float32Array.from(keras.weights);
  return model;
}

const optimizer = ml.adam({ learningRate: 0.05 });
const crossentropy = ml.sparseCategoricalCrossentropy({ fromLogits: true });
const loss = { kind: crossentropy, size: ml.huber({ delta: 0.5 }) };
const weightedMetrics = { kind: ['accuracy'], size: ['mae'] } as const;

const cases: Record<
  string,
  [compiled: Omit<ml.CompileOptions, 'optimizer'>, sampleWeight?: ml.SampleWeights]
> = {
  'by name': [
    {
      loss,
      lossWeights: { kind: 1, size: 0.3 },
      metrics: { kind: ['accuracy'], size: ['mae', ml.rootMeanSquaredError()] },
    },
  ],
  'in order': [
    {
      loss: [crossentropy, ml.meanSquaredError()],
      metrics: [['accuracy'], []],
      weightedMetrics: [[], ['mae']],
    },
  ],
  'sample weights': [{ loss, weightedMetrics }, keras.sample],
  'sample weights by output': [
    { loss, weightedMetrics },
    { kind: keras.sample, size: flipped },
  ],
};

function assertClose(actual: ArrayLike<number>, expected: readonly number[], what: string): void {
  assert.equal(actual.length, expected.length, what);
  expected.forEach((value, index) => {
    assert.ok(Math.abs(actual[index]! - value) < 1e-5, `${what} [${index}]: ${actual[index]}, not ${value}`);
  });
}

function assertSame(model: ml.TrainableModel, history: ml.History, expected: KerasRun): void {
  assertClose(model.weights, expected.after, 'weights');
  assert.deepEqual(Object.keys(history).sort(), Object.keys(expected.history).sort());
  for (const [name, figures] of Object.entries(expected.history)) assertClose(history[name]!, figures, name);
}

for (const [name, [compiled, sampleWeight]] of Object.entries(cases)) {
  test(`a model of two inputs and two outputs trains as in Keras: ${name}`, async () => {
    const model = network();
    model.compile({ optimizer, ...compiled });
    const weighed = sampleWeight ? { sampleWeight } : {};
    const history = await model.fit(x, y, { ...options, ...weighed });
    const expected = keras.cases[name]!;
    assertSame(model, history, expected);
    const figures = await model.evaluate(heldX, heldY, { batchSize: 2 });
    assert.deepEqual(Object.keys(figures).sort(), Object.keys(expected.figures).sort());
    for (const [figure, value] of Object.entries(expected.figures))
      assertClose([figures[figure]!], [value], figure);
    await model.close();
  });
}

test('a data set of named inputs and targets trains as the arrays do', async () => {
  const model = network();
  model.compile({ optimizer, ...cases['by name']![0] });
  const examples = ml.fromIterable<ml.NamedExample>(() =>
    keras.y.kind.map((kind, row) => ({
      x: {
        left: ml.tensor(x.left.data.slice(row * 3, row * 3 + 3), [3]),
        right: ml.tensor(x.right.data.slice(row * 2, row * 2 + 2), [2]),
      },
      y: { kind, size: Float32Array.of(keras.y.size[row]!) },
    })),
  );
  const history = await model.fit(examples.batch(3), { epochs: 3, validationData });
  assertSame(model, history, keras.cases['by name']!);
  const predicted = await model.predictAll(examples.batch(4));
  const asked = await model.predictAll(x);
  assert.deepEqual(await model.predictByName(x), { kind: asked[0], size: asked[1] });
  predicted.forEach(({ data }, index) => {
    assertClose(data as Float32Array, [...(asked[index]!.data as Float32Array)], `output ${index}`);
  });
  await model.close();
});

test('arrays by name make a data set too', async () => {
  const model = network();
  model.compile({ optimizer, ...cases['by name']![0] });
  const history = await model.fit(ml.fromTensors(x, y).batch(3), { epochs: 3, validationData });
  assertSame(model, history, keras.cases['by name']!);
  await model.close();
});

test('a batch that is worked on in parts trains several outputs to the same', async () => {
  const repeat = ({ data, shape }: ml.Tensor) =>
    ml.tensor(
      Float32Array.from({ length: data.length * 8 }, (_, index) => Number(data[index % data.length])),
      [shape[0]! * 8, shape[1]!],
    );
  const many = { left: repeat(x.left), right: repeat(x.right) };
  const kind = Array.from({ length: 64 }, (_, index) => keras.y.kind[index % 8]!);
  const targets = { kind, size: repeat(y.size) };
  const run = async (batchSize: number, count: number) => {
    const model = network();
    model.compile({ optimizer, ...cases['by name']![0] });
    const source = ml.fromTensors(many, targets).take(count).batch(batchSize);
    const history =
      count === 64
        ? await model.fit(many, targets, { batchSize, shuffle: false })
        : await model.fit(source, { epochs: 1 });
    await model.close();
    return [history, model.weights] as const;
  };
  // Eight times the same eight examples: the mean over 64 is that over 8.
  const [whole, weights] = await run(64, 64);
  const [small, expected] = await run(8, 8);
  for (const [name, [value]] of Object.entries(small) as [string, number[]][])
    assertClose(whole[name]!, [value!], name);
  assertClose(weights, [...expected], 'weights');
});

test('an output without a loss is left as it is, and its own layers with it', async () => {
  const model = network();
  model.compile({ optimizer, loss: { kind: crossentropy, size: null }, metrics: { kind: 'accuracy' } });
  const before = model.weights.slice();
  const history = await model.fit(x, { kind: keras.y.kind }, { epochs: 2 });
  assert.deepEqual(Object.keys(history), ['loss', 'kind_accuracy']);
  assert.deepEqual(model.weights.subarray(-5), before.subarray(-5));
  assert.notDeepEqual(model.weights.subarray(0, 5), before.subarray(0, 5));
  assert.throws(
    () => model.compile({ optimizer, loss: { kind: crossentropy, size: null }, metrics: { size: 'mae' } }),
    /"size" has metrics but no loss/,
  );
  await model.close();
});

test('losses, metrics and targets that do not fit the outputs are refused by name', async () => {
  const model = network();
  assert.throws(
    () => model.compile({ optimizer, loss: { kind: crossentropy } }),
    /compile \(loss\): got "kind" for "kind", "size": give one for each of the outputs, null to leave it out/,
  );
  assert.throws(
    () => model.compile({ optimizer, loss, lossWeights: [1] }),
    /compile \(lossWeights\): got 1 for the 2 "kind", "size"/,
  );
  assert.throws(
    () => model.compile({ optimizer, loss, metrics: ['accuracy'] }),
    /compile \(metrics\): got 1 for the 2 "kind", "size": give a list for each output/,
  );
  assert.throws(
    () => model.compile({ optimizer, loss, metrics: { weight: ['mae'] } }),
    /compile \(metrics\): got "kind", "size", "weight" for "kind", "size"/,
  );
  model.compile({ optimizer, loss });
  await assert.rejects(
    model.fit(x, keras.y.kind),
    /fit got one array of targets for the outputs "kind" and "size": give \{ name: targets \}/,
  );
  await assert.rejects(
    model.fit(x, { kind: keras.y.kind }),
    /fit \(targets\): got "kind" for "kind", "size"/,
  );
  await assert.rejects(
    model.fit(x, { ...y, kind: keras.y.kind.with(2, 7) }),
    /fit, output "kind", got label 7 at index 2: the model has 3 classes/,
  );
  await assert.rejects(model.fit({ left: x.left }, y), /fit \(inputs\): got "left" for "left", "right"/);
  await assert.rejects(model.fit(x, y, { classWeight: { 0: 2 } }), /classWeight for a single output/);
  await model.close();
});
