import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ml from './index.ts';

const network = () => ml.sequential([ml.input([2]), ml.dense(2)], { threads: 1 });

test('what was named or forgotten to be called is told, with what to give', () => {
  const { meanSquaredError: loss, adam } = ml;
  const compile = (options: object | undefined) => () => network().compile(options as ml.CompileOptions);
  assert.throws(
    compile({ optimizer: 'adam', loss: loss() }),
    /optimizer must be one that was made, as adam\(\)/,
  );
  assert.throws(
    compile({ optimizer: adam, loss: loss() }),
    /must be one that was made, as adam\(\), got function/,
  );
  assert.throws(compile(undefined), /optimizer must be one that was made, as adam\(\), got undefined/);
  assert.throws(compile({ optimizer: adam(), loss: 'mse' }), /the loss is mse; give one that was made, as/);
  assert.throws(compile({ optimizer: adam(), loss }), /the loss is a function: call it; give one/);
  assert.throws(compile({ optimizer: adam(), loss: [loss] }), /the loss is a function: call it; give one/);
  assert.throws(
    () => ml.sequential([ml.input([2]), ml.dense as unknown as ml.Layer]),
    /sequential: element 1 is the function dense: call it; give layers that were made, as dense\(10\)/,
  );
});

test('data that are no tensors are told, with what to give', async () => {
  assert.throws(
    () => ml.tensor([1, 2] as unknown as Float32Array, [2]),
    /takes a typed array, as Float32Array\.of\(1, 2\), got Array/,
  );
  const model = network();
  model.compile({ optimizer: ml.sgd(), loss: ml.meanSquaredError() });
  const rows = [
    [1, 2],
    [3, 4],
  ];
  const x = ml.tensor(Float32Array.from(rows.flat()), [2, 2]);
  const fit = (...given: unknown[]) => model.fit(...(given as [ml.Tensor, number[]]));
  await assert.rejects(
    fit(rows, [1, 2]),
    /fit \(inputs\): got 2 for the 1 "input_layer": give a tensor\(data/,
  );
  await assert.rejects(
    fit([rows], [1, 2]),
    /fit \(inputs\): "input_layer" is no tensor\(data, \[count, …\]\)/,
  );
  await assert.rejects(
    fit(x),
    /fit\(\) got no targets: call fit\(x, y, options\), or fit\(dataset, options\)/,
  );
  await assert.rejects(
    fit(x, rows),
    /got 2 for the 1 "dense": give class numbers, or rows of values as tensor/,
  );
  await model.close();
});
