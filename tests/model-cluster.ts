// What tests of InferenceServices share: models whose answers tell which they are, and a cluster to serve them.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { dense, exportModel, input, sequential } from '../src/ml/index.ts';
import { eventually, openShell, type Shell } from './shell.ts';

/** A model of two inputs that answers these values, whatever it is asked. All of as many values have the same graph. */
export function modelOf(...values: number[]): ReturnType<typeof exportModel> {
  const model = sequential([input([2]), dense(values.length)], { name: 'm', seed: 1 });
  model.weights = Float32Array.from([...values.flatMap(() => [0, 0]), ...values]);
  return exportModel(model);
}

/** The files of an image whose weights are a layer of their own. */
export function artifact(
  value: number | number[],
  metadata: object = {},
): Record<string, string | Uint8Array> {
  const exported = modelOf(...[value].flat());
  return {
    Dockerfile: 'FROM scratch\nCOPY graph.onnx config.json /\nCOPY weights.safetensors /\n',
    'graph.onnx': exported.graph,
    'weights.safetensors': exported.weights,
    'config.json': JSON.stringify({ ...exported.metadata, ...metadata }),
  };
}

/** Asks as often as it is told, one after the other or `at` a time, from inside the cluster, and counts the answers. */
const asker = `
const body = JSON.stringify({ instances: [[1, 1]] });
const once = (of) => fetch(of, { method: 'POST', body }).then(
  async (response) => (response.ok ? (await response.json()).predictions.flat().join() : response.status),
  (error) => error.message,
);
export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const [of, times, at = 1] = ['of', 'times', 'at'].map((name) => searchParams.get(name) ?? undefined);
    const counts = {};
    let left = Number(times);
    const ask = async () => {
      while (left-- > 0) {
        const answer = await once(of);
        counts[answer] = (counts[answer] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: Number(at) }, ask));
    return Response.json(counts);
  },
};
`;

export async function build(
  shell: Shell,
  name: string,
  files: Record<string, string | Uint8Array>,
): Promise<void> {
  const folder = join(shell.home, name.replace(/[/:]/g, '-'));
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  await shell.run(`selvage build ${folder} -t ${name}`);
}

export const isolate = (name: string, main: string): Record<string, string> => ({
  'main.mjs': main,
  'package.json': JSON.stringify({ name, main: 'main.mjs', type: 'module' }),
});

let applied = 0;

export async function apply(shell: Shell, object: object): Promise<string> {
  // Several may apply at a time.
  applied += 1;
  const path = join(shell.home, `apply-${applied}.json`);
  writeFileSync(path, JSON.stringify(object));
  return shell.run(`kubectl apply -f ${path}`);
}

export function service(
  name: string,
  storageUri: string,
  predictor: object = {},
  {
    annotations = {},
    ...more
  }: { annotations?: Record<string, string>; transformer?: object; explainer?: object } = {},
): object {
  return {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name, annotations },
    spec: { predictor: { model: { modelFormat: { name: 'onnx' }, storageUri }, ...predictor }, ...more },
  };
}

export const predictPath = (name: string): string =>
  `http://${name}-predictor.default.svc.cluster.local/v1/models/${name}:predict`;

export interface ModelCluster {
  shell: Shell;
  /** Of the API server. */
  url: string;
  /** Asks a URL from a pod, `at` a time, and tells how often each answer came. */
  ask(of: string, times: number, at?: number): Promise<Record<string, number>>;
  /** Waits until `kubectl get` prints exactly this of an object. */
  shows(what: string, jsonpath: string, expected: string | RegExp): Promise<void>;
}

/** An API server with a node, and a pod that asks. */
export async function modelCluster(t: TestContext): Promise<ModelCluster> {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  const [url = ''] = /https:\S+/.exec(await up.until(/API ready/)) ?? [];
  await build(shell, 'asker:1', isolate('asker', asker));
  await shell.run('kubectl run asker --image=asker:1 --port=8080');
  await shell.run('kubectl wait --for=condition=Ready pod/asker --timeout=120s');
  return {
    shell,
    url,
    async ask(of, times, at = 1) {
      const query = new URLSearchParams({ of, times: String(times), at: String(at) });
      const path = `/api/v1/namespaces/default/pods/asker:8080/proxy/?${query}`;
      return JSON.parse(await shell.run(`kubectl get --raw '${path}'`));
    },
    shows: (what, jsonpath, expected) =>
      eventually(async () => {
        const shown = await shell.run(`kubectl get ${what} -o jsonpath='${jsonpath}'`);
        if (typeof expected === 'string') assert.equal(shown, expected);
        else assert.match(shown, expected);
      }, 120_000),
  };
}
