import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Metrics } from '../base/metrics.ts';
import { dense, exportModel, input, rescaling, sequential } from '../ml/index.ts';
import { bake } from '../ml/portable.ts';
import { createModelServer } from './server.ts';
import { type Session, startSession } from './session.ts';

const rounds = 500;
let session: Session;
let server: ReturnType<typeof createModelServer>;

before(async () => {
  const { graph, weights } = exportModel(
    sequential([input([4], { dtype: 'uint8' }), rescaling(1 / 255), dense(3)], { seed: 1 }),
  );
  session = await startSession({ onnx: bake(graph, weights), threads: 1 });
  const models = [{ name: 'm', version: '1', labels: undefined, session }];
  server = createModelServer({ models, metrics: new Metrics(), version: '0' });
});

after(() => session.close());

/** A linear congruential generator: one seed tells all mutations (Numerical Recipes' constants). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const strange = [null, -1, 0, 2 ** 53, 1e308, 'x', '', [], {}, [[]], true, Array(40).fill([1]), '__proto__'];

function mutateJson(value: unknown, random: (below: number) => number): unknown {
  if (random(6) === 0) return strange[random(strange.length)];
  if (Array.isArray(value)) {
    const copy = value.map((each) => (random(3) === 0 ? mutateJson(each, random) : each));
    return random(4) === 0 ? copy.slice(0, random(copy.length + 1)) : copy;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [
    random(30) === 0 ? 'constructor' : key,
    random(2) === 0 ? mutateJson(each, random) : each,
  ]);
  return Object.fromEntries(entries);
}

function mutateBytes(bytes: Uint8Array, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  for (let i = random(4); i >= 0; i--) copy[random(copy.length)] = random(256);
  return random(3) === 0 ? copy.slice(0, random(copy.length + 1)) : copy;
}

const v2 = {
  id: 'r',
  parameters: { binary_data_output: false },
  inputs: [{ name: 'input', shape: [1, 4], datatype: 'UINT8', data: [1, 2, 3, 4] }],
  outputs: [{ name: 'output', parameters: { binary_data: true } }],
};
const head = JSON.stringify({
  inputs: [{ name: 'input', shape: [1, 4], datatype: 'UINT8', parameters: { binary_data_size: 4 } }],
});
const binary = Buffer.concat([Buffer.from(head), Buffer.of(1, 2, 3, 4)]);
const subjects: [
  string,
  string,
  (random: (below: number) => number) => [BodyInit, Record<string, string>],
][] = [
  ['V2 JSON', '/v2/models/m/infer', (random) => [JSON.stringify(mutateJson(v2, random)) ?? '', {}]],
  [
    'V1 JSON',
    '/v1/models/m:predict',
    (random) => [JSON.stringify(mutateJson({ instances: [[1, 2, 3, 4], { input: [1] }] }, random)) ?? '', {}],
  ],
  ['V2 bytes', '/v2/models/m/infer', (random) => [mutateBytes(Buffer.from(JSON.stringify(v2)), random), {}]],
  [
    'binary tensors',
    '/v2/models/m/infer',
    (random) => [
      mutateBytes(binary, random),
      { 'inference-header-content-length': String(head.length + (random(3) === 0 ? random(9) - 4 : 0)) },
    ],
  ],
];

for (const [what, path, mutate] of subjects) {
  test(`mutated ${what} get an answer or a 4xx with a message, never a crash`, async () => {
    const seed = Date.now() % 2 ** 32;
    const random = randomFrom(seed);
    const seen = new Set<number>();
    for (let round = 0; round < rounds; round++) {
      const [body, headers] = mutate(random);
      const response = await server.fetch(new Request(`http://m${path}`, { method: 'POST', body, headers }));
      const text = await response.text();
      const told = () => `seed ${seed}, round ${round}: ${response.status} ${text}`;
      assert.ok(response.status < 500, told());
      if (response.status >= 400) assert.equal(typeof JSON.parse(text).error, 'string', told());
      seen.add(response.status);
    }
    assert.ok(seen.has(400), `seed ${seed}: nothing was refused`);
  });
}

test('lists that are nested without end are refused everywhere', async () => {
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  const bodies = [
    `{"inputs":${deep}}`,
    `{"inputs":[{"name":"input","shape":[1,4],"datatype":"UINT8","data":${deep}}]}`,
    `{"inputs":[{"name":"input","shape":[1,4],"datatype":"UINT8","data":[1,2,3,${deep}]}]}`,
    `{"inputs":[{"name":${deep},"shape":${deep},"datatype":${deep}}],"outputs":${deep}}`,
    `{"instances":[[1,2,3,${deep}]]}`,
  ];
  for (const body of bodies) {
    for (const path of ['/v2/models/m/infer', '/v1/models/m:predict']) {
      const response = await server.fetch(new Request(`http://m${path}`, { method: 'POST', body }));
      assert.equal(response.status, 400, body.slice(0, 80));
    }
  }
});
