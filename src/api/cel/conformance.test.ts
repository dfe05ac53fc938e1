import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tests as checking } from '@bufbuild/cel-spec/testdata/checking.js';
import { tests as conformance } from '@bufbuild/cel-spec/testdata/conformance.js';
import { tests as parsing } from '@bufbuild/cel-spec/testdata/parsing.js';
import { exceptions, mayPass } from './conformance-exceptions.ts';
import { checkVector, type Suite, type Vector, vectorsOf } from './conformance-vectors.ts';
import { compile } from './index.ts';
import { parse } from './parser.ts';

/** Runs each vector; one that is excepted must fail, else the table is out of date. Answers how many held. */
function run(suite: Suite, check: (vector: Vector) => void, applies = (_: Vector) => true): number {
  const wrong: string[] = [];
  let held = 0;
  for (const { path, vector } of vectorsOf(suite)) {
    if (!applies(vector)) continue;
    const excepted = exceptions.some(({ pattern }) => pattern.test(`${path}: ${vector.original.expr}`));
    let failure: string | undefined;
    try {
      check(vector);
    } catch (error) {
      failure = (error as Error).message;
    }
    if (excepted && failure === undefined && !mayPass(vector)) wrong.push(`passes, but is excepted: ${path}`);
    if (!excepted && failure !== undefined) wrong.push(`${path}: ${vector.original.expr}\n    ${failure}`);
    if (!excepted && failure === undefined) held++;
  }
  assert.deepEqual(wrong, []);
  return held;
}

test("CEL's conformance vectors hold, but for what is listed with its reason", () => {
  const held = run(conformance as Suite, checkVector);
  assert.ok(held > 1200, `only ${held} vectors held`);
});

test("cel-go's parser and this one take and refuse the same texts", () => {
  const held = run(parsing as Suite, ({ original, ast }) => {
    if (ast !== undefined) parse(original.expr);
    else assert.throws(() => parse(original.expr));
  });
  assert.ok(held > 150, `only ${held} vectors held`);
});

test("type errors are cel-go's, carets included", () => {
  const held = run(
    checking as Suite,
    ({ original, error }) => {
      assert.throws(
        () => compile(original.expr, { variables: {} }),
        (thrown: Error) => thrown.message === error,
        error,
      );
    },
    ({ error, checkedAst }) => checkedAst === undefined && error !== undefined && error.includes('<input>'),
  );
  assert.ok(held > 5, `only ${held} vectors held`);
});
