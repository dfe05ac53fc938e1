// InferenceServices by a real kubectl: revisions that share the requests, transformers, and models from elsewhere.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import { bake } from '../src/ml/index.ts';
import { callGrpc } from '../src/serving/fixtures/grpc-client.ts';
import { messages } from '../src/serving/grpc/messages.ts';
import { decodeMessage, encodeMessage } from '../src/serving/grpc/wire.ts';
import { apply, artifact, build, isolate, modelCluster, modelOf, service } from './model-cluster.ts';
import { eventually, missing, type Shell } from './shell.ts';

/** A transformer: asks the predictor that it is told, and doubles the answers. */
const doubler = `
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const at = 'http://' + process.env.PREDICTOR_HOST + pathname;
    const answer = await fetch(at, { method: 'POST', body: await request.text() });
    const { predictions } = await answer.json();
    return Response.json({ predictions: predictions.map((row) => row.map((value) => 2 * value)) });
  },
};
`;

/** An explainer: tells how the answer changes where nothing is asked. */
const explainer = `
export default {
  async fetch(request) {
    const at = 'http://' + process.env.PREDICTOR_HOST + new URL(request.url).pathname.replace(':explain', ':predict');
    const ask = async (instances) => {
      const answer = await fetch(at, { method: 'POST', body: JSON.stringify({ instances }) });
      return (await answer.json()).predictions.flat()[0];
    };
    const { instances } = await request.json();
    const predictions = [[10 * (await ask(instances)) + (await ask([[0, 0]]))]];
    return Response.json({ predictions });
  },
};
`;

/** Where models can be had. */
const files = `
const onnx = Buffer.from('ONNX', 'base64');
export default { fetch: () => new Response(onnx) };
`;

/** A bucket of models, for those who sign what they ask with its secret. */
const bucket = `
import { createHash, createHmac } from 'node:crypto';
const onnx = Buffer.from('ONNX', 'base64');
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
function isSigned({ method, url, headers }) {
  const { pathname, searchParams } = new URL(url);
  const [, scope, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=minio\\/(.+),SignedHeaders=(.+),Signature=(.+)$/.exec(headers.get('authorization')) ?? [];
  if (!scope) return false;
  const query = [...searchParams].map((pair) => pair.map(encodeURIComponent).join('=')).sort().join('&');
  const lines = names.split(';').map((name) => name + ':' + headers.get(name));
  const canonical = [method, pathname, query, ...lines, '', names, sha256('')].join('\\n');
  const toSign = ['AWS4-HMAC-SHA256', headers.get('x-amz-date'), scope, sha256(canonical)].join('\\n');
  return hmac(scope.split('/').reduce(hmac, 'AWS4minio123'), toSign).toString('hex') === signature;
}
export default {
  fetch(request) {
    if (!isSigned(request)) return new Response('<Error><Code>AccessDenied</Code></Error>', { status: 403 });
    if (new URL(request.url).pathname === '/models/iris/model.onnx') return new Response(onnx);
    return new Response('<ListBucketResult><Contents><Key>iris/model.onnx</Key></Contents></ListBucketResult>');
  },
};
`;

/** Puts what is fetched there into a claim. */
const loader = `
import { mkdirSync, writeFileSync } from 'node:fs';
const folder = JSON.parse(process.env.SELVAGE_MOUNTS)['/models'] + '/a/b';
const response = await fetch('http://files.default/');
if (!response.ok) throw new Error('answered ' + response.status);
const bytes = new Uint8Array(await response.arrayBuffer());
mkdirSync(folder, { recursive: true });
writeFileSync(folder + '/model.onnx', bytes);
process.exit(0);
`;

/** Serves a list that lies in a file, by the name that its arguments say. */
const rows = `
import { readFileSync } from 'node:fs';
const [, name] = /^--model_name=(.+)$/.exec(process.argv.at(-1));
const file = JSON.parse(process.env.SELVAGE_MOUNTS)['/mnt/models'] + '/rows.json';
const predictions = JSON.parse(readFileSync(file, 'utf8'));
export default {
  fetch(request) {
    const isMine = new URL(request.url).pathname === '/v1/models/' + name + ':predict';
    return isMine ? Response.json({ predictions }) : new Response('', { status: 404 });
  },
};
`;

/** Says which events came. */
const sink = `
export default {
  async fetch(request) {
    const of = (name) => request.headers.get('ce-' + name);
    const text = await request.text();
    console.log(of('type').split('.').at(-1) + ' of ' + of('namespace') + '/' + of('inferenceservicename') + ': ' + text);
    return new Response();
  },
};
`;

/** The cells of `kubectl get isvc`, without the last, the age. */
async function row(shell: Shell, name: string): Promise<string> {
  const text = await shell.run(`kubectl get isvc ${name} --no-headers`);
  return text.trim().split(/ +/).slice(1, -1).join(' ');
}

async function until(shell: Shell, name: string, expected: string): Promise<void> {
  await eventually(async () => assert.equal(await row(shell, name), expected), 120_000);
}

async function cluster(t: TestContext) {
  const { shell, ask: askAtOnce } = await modelCluster(t);
  // A few at a time, so that no call through the API server takes long.
  const ask = async (of: string, times: number) => {
    const counts: Record<string, number> = {};
    for (let left = times; left > 0; left -= 50) {
      const told = await askAtOnce(of, Math.min(50, left));
      for (const [answer, count] of Object.entries(told)) counts[answer] = (counts[answer] ?? 0) + count;
    }
    return counts;
  };
  // What is Ready is in every pod's routes a moment later.
  const answers = (of: string, times: number, expected: Record<string, number>) =>
    eventually(async () => assert.deepEqual(await ask(of, times), expected));
  return { shell, ask, answers };
}

const url = (name: string) => `http://${name}-predictor.default.svc.cluster.local`;

test('a canary', { skip: missing('kubectl'), timeout: 600_000 }, async (t) => {
  const { shell, ask, answers } = await cluster(t);
  for (const value of [1, 2]) await build(shell, `m:v${value}`, artifact(value));
  await build(shell, 'm:broken', { ...artifact(3), 'graph.onnx': 'no graph' });
  const predict = `${url('m')}/v1/models/m:predict`;
  const [first, second] = [1, 2].map((each) => `m-predictor-0000${each}`);

  await t.test('the first revision gets all requests', async () => {
    await apply(shell, service('m', 'oci://m:v1', { canaryTrafficPercent: 20 }));
    await shell.run('kubectl wait --for=condition=Ready isvc/m --timeout=115s');
    assert.match(
      await shell.run('kubectl get isvc m'),
      /^NAME +URL +READY +PREV +LATEST +PREVROLLEDOUTREVISION +LATESTREADYREVISION +AGE\n/,
    );
    await until(shell, 'm', `${url('m')} True 100 ${first}`);
    await answers(predict, 20, { 1: 20 });
  });

  await t.test('the next gets its share, and the canary’s address is its own', async () => {
    await apply(shell, service('m', 'oci://m:v2', { canaryTrafficPercent: 20 }));
    await until(shell, 'm', `${url('m')} True 80 20 ${first} ${second}`);
    await eventually(async () => expectShare(await ask(predict, 400), { latest: 20 }));
    await answers('http://m-predictor-canary/v1/models/m:predict', 5, { 2: 5 });
  });

  await t.test('from outside the shares are the same', async () => {
    await shell.run(`kubectl patch service m-predictor -p '{"spec":{"type":"LoadBalancer"}}'`);
    const at = "{.metadata.annotations['selvage\\.dev/load-balancer-address']}";
    const ingress = '{.status.loadBalancer.ingress[0].ip}';
    const outside = await eventually(async () => {
      const address =
        (await shell.run(`kubectl get service m-predictor -o jsonpath="${at}"`)) ||
        (await shell.run(`kubectl get service m-predictor -o jsonpath="${ingress}"`));
      assert.notEqual(address, '');
      return `http://${address}/v1/models/m:predict`;
    });
    expectShare(await askFrom(outside, 200), { latest: 20 });
  });

  await t.test('one more that never runs gets none, and says why', async () => {
    await apply(shell, service('m', 'oci://m:broken', { canaryTrafficPercent: 50 }));
    const path = '{.status.modelStatus.transitionStatus} {.status.modelStatus.lastFailureInfo.reason}';
    await eventually(async () => {
      const told = await shell.run(`kubectl get isvc m -o jsonpath='${path}'`);
      assert.equal(told, 'BlockedByFailedLoad ModelLoadFailed');
    }, 120_000);
    const message = '{.status.modelStatus.lastFailureInfo.message}';
    await eventually(async () =>
      assert.match(await shell.run(`kubectl get isvc m -o jsonpath='${message}'`), /graph|ONNX|protobuf/i),
    );
    assert.equal(await row(shell, 'm'), `${url('m')} False 100 ${first}`);
    assert.deepEqual(await ask(predict, 40), { 1: 40 });
  });

  await t.test('it goes when the one before it is asked for again, which has its share', async () => {
    await apply(shell, service('m', 'oci://m:v2', { canaryTrafficPercent: 50 }));
    const fourth = 'm-predictor-00004';
    await until(shell, 'm', `${url('m')} True 50 50 ${first} ${fourth}`);
    await eventually(async () => expectShare(await ask(predict, 200), { latest: 50 }));
  });

  await t.test(
    'promoted, it takes all requests, none is lost on the way, and the old pods get its weights',
    async () => {
      const podNames = () => shell.run('kubectl get pods -l app=m-predictor -o name');
      const pods = await podNames();
      const counts: Record<string, number> = {};
      let isDone = false;
      const asking = (async () => {
        while (!isDone)
          for (const [answer, count] of Object.entries(await ask(predict, 100)))
            counts[answer] = (counts[answer] ?? 0) + count;
      })();
      await apply(shell, service('m', 'oci://m:v2'));
      await until(shell, 'm', `${url('m')} True 100 m-predictor-00004`);
      await eventually(async () => {
        assert.equal(await shell.run('kubectl get deployments -o name'), 'deployment.apps/m-predictor\n');
      });
      isDone = true;
      await asking;
      assert.deepEqual(
        Object.keys(counts).sort(),
        ['1', '2'].filter((each) => counts[each]),
        'all were answered',
      );
      await answers(predict, 40, { 2: 40 });
      assert.equal(await podNames(), pods);
    },
  );

  await t.test('taken back after it had them all, the one before is there again', async () => {
    await apply(shell, service('m', 'oci://m:v2', { canaryTrafficPercent: 0 }));
    await until(shell, 'm', `${url('m')} True 100 0 ${first} m-predictor-00004`);
    await answers(predict, 20, { 1: 20 });
  });

  await t.test('stopped, it has no pods; started again, it serves', async () => {
    await shell.run('kubectl annotate isvc m serving.kserve.io/stop=true');
    await shell.run('kubectl wait --for=condition=Stopped isvc/m --timeout=60s');
    await eventually(async () =>
      assert.equal(await shell.run('kubectl get pods -l serving.kserve.io/inferenceservice=m -o name'), ''),
    );
    await shell.run('kubectl annotate isvc m serving.kserve.io/stop-');
    await shell.run('kubectl wait --for=condition=Ready isvc/m --timeout=115s');
    await answers(predict, 5, { 1: 5 });
  });

  await t.test('deleted, it leaves nothing', async () => {
    await shell.run('kubectl delete isvc m');
    await eventually(async () =>
      assert.equal(await shell.run('kubectl get deployments,services -o name'), 'service/kubernetes\n'),
    );
  });
});

test('a model with what belongs to it', { skip: missing('kubectl'), timeout: 600_000 }, async (t) => {
  const { shell, ask, answers } = await cluster(t);
  await build(shell, 'm:v1', artifact(1));
  await build(shell, 'doubler:1', isolate('doubler', doubler));
  await build(shell, 'explainer:1', isolate('explainer', explainer));
  const { graph, weights } = modelOf(7);
  const onnx = Buffer.from(bake(graph, weights)).toString('base64');
  await build(shell, 'files:1', isolate('files', files.replace('ONNX', onnx)));
  await build(shell, 'bucket:1', isolate('bucket', bucket.replace('ONNX', onnx)));
  await build(shell, 'loader:1', isolate('loader', loader));
  await build(shell, 'sink:1', isolate('sink', sink));
  for (const name of ['files', 'bucket', 'sink']) {
    await shell.run(`kubectl create deployment ${name} --image=${name}:1 --port=8080`);
    await shell.run(`kubectl expose deployment ${name} --port=80 --target-port=8080`);
    await shell.run(`kubectl rollout status deployment/${name} --timeout=115s`);
  }

  await t.test('a transformer stands before it, and asks it', async () => {
    const of = (image: string) => ({ containers: [{ name: 'kserve-container', image }] });
    const beside = { transformer: of('doubler:1'), explainer: of('explainer:1') };
    await apply(shell, service('m', 'oci://m:v1', {}, beside));
    await shell.run('kubectl wait --for=condition=Ready isvc/m --timeout=115s');
    const path = '{.status.url} {.status.conditions[?(@.type=="TransformerReady")].status}';
    const at = 'http://m-transformer.default.svc.cluster.local';
    assert.equal(await shell.run(`kubectl get isvc m -o jsonpath='${path}'`), `${at} True`);
    await answers(`${at}/v1/models/m:predict`, 5, { 2: 5 });
    await answers(`${url('m')}/v1/models/m:predict`, 5, { 1: 5 });
  });

  await t.test(
    'an explainer answers at both addresses, and to those who reach the model’s pod alone',
    async () => {
      for (const each of ['m-transformer', 'm-predictor'])
        await answers(`http://${each}/v1/models/m:explain`, 2, { 11: 2 });
      const pod = await shell.run('kubectl get pods -l app=m-predictor -o name');
      const forward = shell.start(`kubectl port-forward ${pod.trim()} :8080`);
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(await forward.until(/Forwarding from/)) ?? [];
      const answer = await fetch(`http://127.0.0.1:${port}/v1/models/m:explain`, {
        method: 'POST',
        body: '{"instances":[[1,1]]}',
      });
      assert.deepEqual(await answer.json(), { predictions: [[11]] });
    },
  );

  await t.test('it is fetched over HTTP, and what is not what was meant is not served', async () => {
    await apply(shell, service('fetched', 'http://files.default/model.onnx'));
    await shell.run('kubectl wait --for=condition=Ready isvc/fetched --timeout=115s');
    await answers(`${url('fetched')}/v1/models/fetched:predict`, 5, { 7: 5 });
    await apply(shell, service('forged', `http://files.default/model.onnx#sha256=${'0'.repeat(64)}`));
    await eventually(async () => {
      const message = '{.status.modelStatus.lastFailureInfo.message}';
      const told = await shell.run(`kubectl get isvc forged -o jsonpath='${message}'`);
      assert.match(told, /has the SHA-256 [0-9a-f]{64}, but storageUri says 0000/);
    }, 120_000);
    assert.equal(await row(shell, 'forged'), `${url('forged')} False`);
  });

  await t.test('it is fetched from S3 with the secret of its service account', async () => {
    const annotations = {
      'serving.kserve.io/s3-endpoint': 'bucket.default',
      'serving.kserve.io/s3-usehttps': '0',
    };
    const stringData = { awsAccessKeyID: 'minio', awsSecretAccessKey: 'minio123' };
    await apply(shell, {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's3creds', annotations }, stringData },
        {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: 'fetcher' },
          secrets: [{ name: 's3creds' }],
        },
      ],
    });
    await apply(shell, service('stored', 's3://models/iris', { serviceAccountName: 'fetcher' }));
    await shell.run('kubectl wait --for=condition=Ready isvc/stored --timeout=115s');
    await answers(`${url('stored')}/v1/models/stored:predict`, 5, { 7: 5 });
  });

  await t.test('it lies in a claim', async () => {
    const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };
    await apply(shell, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'models' },
      spec: claim,
    });
    const container = {
      name: 'loader',
      image: 'loader:1',
      volumeMounts: [{ name: 'models', mountPath: '/models' }],
    };
    const spec = {
      restartPolicy: 'OnFailure',
      containers: [container],
      volumes: [{ name: 'models', persistentVolumeClaim: { claimName: 'models' } }],
    };
    await apply(shell, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'loader' }, spec });
    // A server that finds no model yet would be started again later and later.
    await eventually(async () => {
      const phase = await shell.run("kubectl get pod loader -o jsonpath='{.status.phase}'");
      assert.equal(phase, 'Succeeded');
    }, 120_000);
    await apply(shell, service('kept', 'pvc://models/a/b'));
    await shell.run('kubectl wait --for=condition=Ready isvc/kept --timeout=115s');
    await answers(`${url('kept')}/v1/models/kept:predict`, 5, { 7: 5 });
  });

  await t.test('a runtime of one’s own serves another format, with the files of the model', async () => {
    await build(shell, 'rows:1', isolate('rows', rows));
    await build(shell, 'model:rows', {
      Dockerfile: 'FROM scratch\nCOPY rows.json /\n',
      'rows.json': '[[8]]',
    });
    const container = { name: 'kserve-container', image: 'rows:1', args: ['--model_name={{.Name}}'] };
    const supportedModelFormats = [{ name: 'rows', version: '1', autoSelect: true }];
    const spec = { supportedModelFormats, protocolVersions: ['v1'], containers: [container] };
    const metadata = { name: 'rows-server' };
    await apply(shell, { apiVersion: 'serving.kserve.io/v1alpha1', kind: 'ServingRuntime', metadata, spec });
    const model = { modelFormat: { name: 'rows' }, storageUri: 'oci://model:rows' };
    await apply(shell, service('listed', '', { model }));
    await shell.run('kubectl wait --for=condition=Ready isvc/listed --timeout=115s');
    await answers(`${url('listed')}/v1/models/listed:predict`, 5, { 8: 5 });
    const named = '{.status.servingRuntimeName}{.status.clusterServingRuntimeName}';
    assert.equal(await shell.run(`kubectl get isvc listed -o jsonpath='${named}'`), 'rows-server');
    assert.equal(await shell.run(`kubectl get isvc m -o jsonpath='${named}'`), 'selvage-onnx');
    assert.match(
      await shell.run('kubectl get clusterservingruntimes'),
      /^NAME +DISABLED +MODELTYPE +CONTAINERS +AGE\nselvage-onnx +onnx +kserve-container +\S+\n$/,
    );
  });

  await t.test('what it is asked and answers is logged', async () => {
    const logger = { url: 'http://sink.default/', mode: 'all' };
    await apply(shell, service('told', 'oci://m:v1', { logger, containerConcurrency: 2, timeout: 30 }));
    await shell.run('kubectl wait --for=condition=Ready isvc/told --timeout=115s');
    await answers(`${url('told')}/v1/models/told`, 1, { 405: 1 });
    assert.deepEqual(await ask(`${url('told')}/v1/models/told:predict`, 3), { 1: 3 });
    await eventually(async () => {
      const events = (await shell.run('kubectl logs deployment/sink')).trim().split('\n').sort();
      assert.deepEqual(events, [
        ...Array(3).fill('request of default/told: {"instances":[[1,1]]}'),
        ...Array(3).fill('response of default/told: {"predictions":[[1]]}'),
      ]);
    });
  });

  await t.test('gRPC reaches it in its isolate', async () => {
    const forward = shell.start('kubectl port-forward service/m-predictor :8081');
    const [, port] = /127\.0\.0\.1:(\d+)/.exec(await forward.until(/Forwarding from/)) ?? [];
    const client = http2.connect(`http://127.0.0.1:${port}`);
    t.after(() => client.destroy());
    const request = encodeMessage(messages.inferRequest, {
      model_name: 'm',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 2], contents: { fp32_contents: [1, 1] } }],
    });
    const { status, message, body } = await callGrpc(
      client,
      '/inference.GRPCInferenceService/ModelInfer',
      request,
    );
    assert.equal(status, 0, message);
    const { raw_output_contents: [raw] = [] } = decodeMessage(messages.inferResponse, body) as {
      raw_output_contents?: Uint8Array[];
    };
    assert.equal(Buffer.from(raw!).readFloatLE(), 1);
    const path = '{range .spec.ports[*]}{.name}:{.port}:{.appProtocol} {end}';
    assert.equal(
      await shell.run(`kubectl get service m-predictor -o jsonpath='${path}'`),
      'http:80: h2c:8081:kubernetes.io/h2c ',
    );
  });

  await t.test('what is not offered is refused, with what is', async () => {
    const sklearn = { storageUri: 'gs://kfserving-examples/models/sklearn/1.0/model' };
    await apply(shell, { ...service('legacy', ''), spec: { predictor: { sklearn } } });
    await apply(shell, service('format', 'hdfs://nowhere'));
    const path = '{.status.modelStatus.transitionStatus} {.status.modelStatus.lastFailureInfo.message}';
    const says = (name: string, what: RegExp) =>
      eventually(async () =>
        assert.match(await shell.run(`kubectl get isvc ${name} -o jsonpath='${path}'`), what),
      );
    await says('legacy', /^InvalidSpec No runtime found to support specified framework\/version$/);
    assert.match(
      await shell.run('kubectl describe isvc legacy'),
      /Warning +InvalidPredictor .*model type: \{sklearn\} .* there is one for: onnx 1, rows 1\./,
    );
    await says('format', /^InvalidSpec .*storageUri: Invalid value: "hdfs:.*must be oci:/);
    assert.match(await shell.run('kubectl describe isvc format'), /Warning +InvalidPredictor/);
  });

  await t.test('a mistake in what serves already changes nothing but what is said', async () => {
    await shell.run(
      `kubectl patch isvc m --type=merge -p '{"spec":{"predictor":{"model":{"storageUri":"hdfs://nowhere"}}}}'`,
    );
    await shell.run('kubectl wait --for=condition=Ready=false isvc/m --timeout=60s');
    assert.equal(
      await row(shell, 'm'),
      'http://m-transformer.default.svc.cluster.local False 100 m-predictor-00001',
    );
    assert.deepEqual(await ask(`${url('m')}/v1/models/m:predict`, 5), { 1: 5 });
  });
});

/** Within seven standard deviations of what chance gives. */
function expectShare(
  { 1: old = 0, 2: latest = 0, ...others }: Record<string, number>,
  share: { latest: number },
) {
  assert.deepEqual(others, {});
  const [all, part] = [old + latest, share.latest / 100];
  const margin = 7 * Math.sqrt(all * part * (1 - part));
  assert.ok(
    Math.abs(latest - all * part) < margin,
    `${latest} of ${all} requests went to the canary of ${share.latest} percent`,
  );
}

/** From outside of the cluster, each over a connection of its own. */
async function askFrom(url: string, times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let asked = 0; asked < times; asked++) {
    const headers = { connection: 'close' };
    const response = await fetch(url, { method: 'POST', body: '{"instances": [[1, 1]]}', headers });
    const { predictions } = (await response.json()) as { predictions: number[][] };
    const answer = String(predictions.flat()[0]);
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}
