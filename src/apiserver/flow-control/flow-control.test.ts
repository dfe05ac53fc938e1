import assert from 'node:assert/strict';
import { Agent, request } from 'node:https';
import { after, before, test } from 'node:test';
import { send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

/** Real clients over HTTPS, against a level with few seats. */

let running: TestServer;
const agents: Agent[] = [];

before(async () => {
  running = await startTestServer({ authorizers: [() => ({ allowed: true })] });
  const { server } = running;
  await send(server.transport(), 'POST /apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations', {
    body: {
      metadata: { name: 'narrow' },
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 1,
          borrowingLimitPercent: 0,
          limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 4, queueLengthLimit: 20 } },
        },
      },
    },
  });
  await send(server.transport(), 'POST /apis/flowcontrol.apiserver.k8s.io/v1/flowschemas', {
    body: {
      metadata: { name: 'narrow' },
      spec: {
        matchingPrecedence: 50,
        distinguisherMethod: { type: 'ByUser' },
        priorityLevelConfiguration: { name: 'narrow' },
        rules: [
          {
            subjects: [{ kind: 'Group', group: { name: 'clients' } }],
            resourceRules: [
              { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true },
            ],
          },
        ],
      },
    },
  });
});
after(async () => {
  for (const agent of agents) agent.destroy();
  await running.close();
});

interface Answered {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

function clientOf(name: string, groups: string[] = ['clients']) {
  const { certificatePem, privateKeyPem } = running.issueClient(name, groups);
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1000,
    ca: running.authority.caPem,
    cert: certificatePem,
    key: privateKeyPem,
  });
  agents.push(agent);
  return (path: string, body?: object) =>
    new Promise<Answered>((resolve, reject) => {
      const method = body ? 'POST' : 'GET';
      const sent = request(
        { agent, host: '127.0.0.1', port: running.port, path, method },
        async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve({ code: response.statusCode!, headers: response.headers, text });
        },
      );
      sent.on('error', reject).end(body && JSON.stringify(body));
    });
}

async function uidOf(path: string): Promise<string> {
  const transport = running.server.transport();
  const { object } = await send(transport, `GET /apis/flowcontrol.apiserver.k8s.io/v1/${path}`);
  return object.metadata!.uid!;
}

test('answers name the flow schema and the priority level that they fell under', async () => {
  const ask = clientOf('someone');
  const { headers } = await ask('/api/v1/namespaces/default/configmaps');
  assert.equal(headers['x-kubernetes-pf-flowschema-uid'], await uidOf('flowschemas/narrow'));
  assert.equal(
    headers['x-kubernetes-pf-prioritylevel-uid'],
    await uidOf('prioritylevelconfigurations/narrow'),
  );
  const admin = clientOf('admin', ['system:masters']);
  const exempt = await admin('/api/v1/namespaces/default/configmaps');
  assert.equal(exempt.headers['x-kubernetes-pf-flowschema-uid'], await uidOf('flowschemas/exempt'));
  const other = await clientOf('other', [])('/version');
  assert.equal(other.headers['x-kubernetes-pf-flowschema-uid'], await uidOf('flowschemas/global-default'));
});

test('a client with hundreds of requests at once cannot starve another one', async () => {
  const noisy = clientOf('noisy');
  const quiet = clientOf('quiet');
  const path = '/api/v1/namespaces/default/configmaps';
  const made = { metadata: { generateName: 'made-' } };
  await quiet(path, made);
  let isOver = false;
  const codes = { noisy: new Map<number, number>(), quiet: new Map<number, number>() };
  const count = (counts: Map<number, number>, code: number) => counts.set(code, (counts.get(code) ?? 0) + 1);
  let retryAfter: unknown;
  const storm = Array.from({ length: 300 }, async () => {
    while (!isOver) {
      const { code, headers } = await noisy(path, made);
      if (code === 429) retryAfter ??= headers['retry-after'];
      count(codes.noisy, code);
    }
  });
  for (let i = 0; i < 40; i++) count(codes.quiet, (await quiet(path, made)).code);
  isOver = true;
  await Promise.all(storm);
  assert.deepEqual([...codes.quiet], [[201, 40]], 'every request of the quiet client was let in');
  assert.ok((codes.noisy.get(429) ?? 0) > 0, 'the noisy client was refused some');
  assert.match(String(retryAfter), /^\d+$/);
  const admin = clientOf('admin', ['system:masters']);
  const { text } = await admin('/metrics');
  const sample = (name: string) =>
    Number(new RegExp(`^apiserver_flowcontrol_${name}\\{([^}]*narrow[^}]*)\\} (\\d+)`, 'm').exec(text)?.[2]);
  assert.ok(sample('dispatched_requests_total') >= 40);
  assert.ok(sample('rejected_requests_total') >= codes.noisy.get(429)!);
  assert.equal(sample('current_executing_requests'), 0);
  assert.equal(sample('current_inqueue_requests'), 0);
});

test('a watch gives its seat back as soon as it has begun', async () => {
  const watcher = clientOf('watcher');
  const answers = Array.from({ length: 30 }, () =>
    watcher('/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1'),
  );
  assert.deepEqual([...new Set((await Promise.all(answers)).map(({ code }) => code))], [200]);
});

test('a changed level holds for the next requests', async () => {
  const transport = running.server.transport();
  const path = '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/exempt';
  const { code } = await send(transport, `PATCH ${path}`, {
    body: { spec: { exempt: { lendablePercent: 50 } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(code, 200);
  const refused = await send(transport, `PATCH ${path}`, {
    body: { spec: { type: 'Limited' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(refused.code, 422);
});
