// Random and hostile requests over the wire: the server goes on, stays small, and keeps every write that it acknowledged.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type Agent, Agent as HttpsAgent, request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { parse } from 'yaml';
import { openShell } from './shell.ts';

const attackMs = 8_000;
/** Bodies of up to 8 MiB, sixteen at a time, and what the collector has not looked at yet. */
const growthBytesMax = 400 * 2 ** 20;
const maps = '/api/v1/namespaces/default/configmaps';
/** Out of reach of the attacks, some of which rightly delete what they name. */
const keptMaps = '/api/v1/namespaces/kube-system/configmaps';
const patchTypes = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];

interface Target {
  port: number;
  tls: { ca: Buffer; cert: Buffer; key: Buffer };
  agent: Agent;
}

type Random = () => number;

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const bytesOf = (random: Random, length: number) =>
  Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));

function randomValue(random: Random, depth = 0): unknown {
  const simple = [null, true, -1, 1e308, '', '\u0000', '$patch', [], {}, 'x'.repeat(300)];
  if (depth > 3 || random() < 0.4) return pick(random, simple);
  const names = [
    'metadata',
    'data',
    'name',
    '__proto__',
    'constructor',
    '$patch',
    'labels',
    'finalizers',
    '',
  ];
  const length = Math.floor(random() * 4);
  if (random() < 0.4) return Array.from({ length }, () => randomValue(random, depth + 1));
  return Object.fromEntries(
    Array.from({ length }, () => [pick(random, names), randomValue(random, depth + 1)]),
  );
}

/** Sends one request; resolves to its code, or 0 where the connection ended without one. */
function send(
  { port, tls, agent }: Target,
  method: string,
  path: string,
  body?: string | Buffer,
  type = 'application/json',
): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const headers =
      body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const asked = request({ host: '127.0.0.1', port, method, path, headers, ...tls, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => (text += part));
      answer.on('error', () => {});
      answer.on('close', () => resolve({ code: answer.statusCode ?? 0, text }));
    });
    asked.on('error', () => resolve({ code: 0, text: '' }));
    asked.end(body);
  });
}

function openSocket({ port, tls }: Target, protocol: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...tls, ALPNProtocols: [protocol] }, () =>
      resolve(socket),
    );
    socket.on('error', reject);
  });
}

/** What is sent is of the seed; what it is answered with is for the caller to judge. */
const attacks: Record<string, (target: Target, random: Random) => Promise<number>> = {
  'deep JSON': async (target, random) => {
    const depth = 1 + Math.floor(random() * 100_000);
    return (await send(target, 'POST', maps, `${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`)).code;
  },
  'a body of the wrong shape': async (target, random) =>
    (
      await send(
        target,
        pick(random, ['POST', 'DELETE']),
        `${maps}${pick(random, ['', '/nobody'])}`,
        JSON.stringify(randomValue(random)),
      )
    ).code,
  'a bad patch': async (target, random) => {
    const type = `application/${pick(random, patchTypes)}`;
    const query = random() < 0.5 ? '' : '?fieldManager=fuzz&force=true';
    return (await send(target, 'PATCH', `${maps}/victim${query}`, JSON.stringify(randomValue(random)), type))
      .code;
  },
  'bad protobuf': async (target, random) => {
    const body = Buffer.concat([Buffer.from('k8s\0'), bytesOf(random, Math.floor(random() * 300))]);
    return (await send(target, 'POST', maps, body, 'application/vnd.kubernetes.protobuf')).code;
  },
  'a huge body': async (target, random) =>
    (await send(target, 'POST', maps, `{"a":"${'x'.repeat(Math.floor(random() * 8 * 2 ** 20))}"}`)).code,
  'an odd query': async (target, random) => {
    const value = encodeURIComponent(bytesOf(random, 20).toString('latin1'));
    const name = pick(random, ['limit', 'continue', 'labelSelector', 'fieldSelector', 'resourceVersion']);
    return (await send(target, 'GET', `${maps}?${name}=${value}`)).code;
  },
  'a watch that is left half open': async (target) => {
    const socket = await openSocket(target, 'http/1.1');
    socket.write(`GET ${maps}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.end();
    setTimeout(() => socket.destroy(), 500).unref();
    return 200;
  },
  'a slow client': async (target, random) => {
    const socket = await openSocket(target, 'http/1.1');
    const head = `POST ${maps} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{`;
    socket.write(head.slice(0, 10 + Math.floor(random() * head.length)));
    setTimeout(() => socket.destroy(), 1_000).unref();
    return 0;
  },
  'frames that are no HTTP/2': async (target, random) => {
    const socket = await openSocket(target, 'h2');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    for (let frames = 0; frames < 5; frames++) {
      const payload = bytesOf(random, Math.floor(random() * 40));
      const header = Buffer.from([
        0,
        0,
        payload.length,
        Math.floor(random() * 12),
        Math.floor(random() * 256),
        0,
        0,
        0,
        1,
      ]);
      socket.write(Buffer.concat([header, payload]));
    }
    setTimeout(() => socket.destroy(), 300).unref();
    return 0;
  },
};

test('hostile requests neither end the server, nor grow it, nor lose what it acknowledged', {
  timeout: 600_000,
}, async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  const random = randomFrom(seed);
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0 --no-node');
  await up.until(/API ready/);
  const target = targetOf(join(shell.home, '.kube', 'config'));
  t.after(() => target.agent.destroy());
  const create = (name: string, path = keptMaps) =>
    send(
      target,
      'POST',
      path,
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { name } }),
    );
  assert.equal((await create('victim', maps)).code, 201);
  const before = residentBytes(up.process.pid!);
  const kept: string[] = [];
  const counts = new Map<string, number>();
  const endMs = Date.now() + attackMs;
  for (let round = 0; Date.now() < endMs; round++) {
    const names = Array.from({ length: 8 }, () => pick(random, Object.keys(attacks)));
    const answers = names.map(async (name) => {
      const code = await attacks[name]!(target, random).catch(() => 0);
      assert.ok(code < 500, `${name} was answered with ${code}`);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    });
    const { code } = await create(`kept-${round}`);
    assert.equal(code, 201);
    kept.push(`kept-${round}`);
    await Promise.all(answers);
  }
  for (const name of Object.keys(attacks)) assert.ok(counts.has(name), `${name} was never tried`);
  assert.equal(up.process.exitCode, null, up.output());
  const { items } = JSON.parse((await send(target, 'GET', keptMaps)).text);
  const found = new Set(
    items
      .filter(
        ({ data, metadata }: { data?: { name?: string }; metadata: { name: string } }) =>
          data?.name === metadata.name,
      )
      .map(({ metadata }: { metadata: { name: string } }) => metadata.name),
  );
  assert.deepEqual(
    kept.filter((name) => !found.has(name)),
    [],
  );
  const grown = residentBytes(up.process.pid!) - before;
  assert.ok(grown < growthBytesMax, `grew by ${Math.round(grown / 2 ** 20)} MiB`);
  t.diagnostic(
    `${kept.length} writes kept, ${[...counts.values()].reduce((a, b) => a + b)} attacks, grown by ${Math.round(grown / 2 ** 20)} MiB`,
  );
});

function targetOf(kubeconfig: string): Target {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8'));
  const decode = (text: string) => Buffer.from(text, 'base64');
  const { cluster } = clusters[0];
  const { user } = users[0];
  return {
    port: Number(new URL(cluster.server).port),
    tls: {
      ca: decode(cluster['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    },
    agent: new HttpsAgent({ keepAlive: true, maxSockets: 16 }),
  };
}

/** Of a process of this machine, as Linux tells it. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
