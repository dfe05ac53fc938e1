import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../../base/log.ts';
import { until } from '../../../base/until.ts';
import { volumeFolder } from '../../volumes/volume-folder.ts';
import { ask, makeFolder, routesTo, specOf, startListening, type TestFolder } from '../fixture.ts';
import { connectShim, type ShimClient } from '../shim/client.ts';

let folder: TestFolder;
let shim: ShimClient;
let lastIP = 1;

before(async () => {
  folder = makeFolder();
  shim = await connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: true });
});
after(async () => {
  await shim.shutdown({ graceSeconds: 1 });
  folder.remove();
});

async function start(name: string, source: string, extra: Partial<Parameters<typeof specOf>[1]> = {}) {
  const rootDir = folder.image(name, { 'main.ts': source, 'package.json': '{"type":"module"}' });
  const spec = specOf(folder, { name, ip: `10.42.0.${++lastIP}`, rootDir, ...extra });
  await startListening(shim, spec);
  return spec;
}

test('a TypeScript module that exports fetch is served, with its environment', async () => {
  const source = `
    interface Env { GREETING: string }
    export default {
      async fetch(request: Request, { env }: { env: Env }): Promise<Response> {
        const { pathname, search } = new URL(request.url);
        const body = await request.text();
        return new Response([env.GREETING, request.method, pathname + search, body].join('|'), {
          status: 201,
          headers: [['x-echo', request.headers.get('x-in') ?? ''], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']],
        });
      },
    };`;
  const { pod } = await start('module', source, { env: { GREETING: 'hi' } });
  const answer = await ask(shim, pod.ip, {
    method: 'POST',
    path: '/p?q',
    headers: { 'x-in': 'out' },
    body: 'payload',
  });
  assert.equal(answer.status, 201);
  assert.equal(answer.text, 'hi|POST|/p?q|payload');
  assert.equal(answer.headers['x-echo'], 'out');
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(answer.headers['content-length'], String('hi|POST|/p?q|payload'.length));
});

test('a streamed response comes as it is made, HEAD has no body, and an error is a 500 and a log line', async () => {
  const source = `
    export default {
      async fetch(request: Request) {
        const { pathname } = new URL(request.url);
        if (pathname === '/throw') throw new Error('handler broke');
        if (pathname === '/wrong') return 'text';
        if (pathname === '/none') return new Response(null, { status: 204 });
        if (pathname === '/long') return new Response(new Uint8Array(3_000_000).fill(65));
        const { readable, writable } = new TransformStream();
        const writer = writable.getWriter();
        (async () => {
          for (const part of ['one', 'two', 'three']) {
            await writer.write(new TextEncoder().encode(part));
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          await writer.close();
        })();
        return new Response(readable);
      },
    };`;
  const { pod, logPath } = await start('streams', source);
  const streamed = await ask(shim, pod.ip);
  assert.equal(streamed.text, 'onetwothree');
  assert.equal(streamed.headers['transfer-encoding'], 'chunked');
  assert.equal((await ask(shim, pod.ip, { path: '/long' })).text.length, 3_000_000);
  const head = await ask(shim, pod.ip, { method: 'HEAD', path: '/long' });
  assert.equal(head.text, '');
  assert.equal((await ask(shim, pod.ip, { path: '/none' })).status, 204);
  assert.equal((await ask(shim, pod.ip, { path: '/throw' })).status, 500);
  assert.equal((await ask(shim, pod.ip, { path: '/wrong' })).status, 500);
  await until('the error is logged', () =>
    /GET http:\/\/.*\/throw failed: Error: handler broke/.test(readFileSync(logPath, 'utf8')),
  );
});

test('fetch to a Service goes straight to the pod, balanced, and is counted', async () => {
  const backend = `export default { fetch: () => new Response(process.env.NAME) };`;
  const first = await start('backend-1', backend, { env: { NAME: 'first' } });
  const second = await start('backend-2', backend, { env: { NAME: 'second' } });
  const caller = await start(
    'caller',
    `export default {
      async fetch(request: Request) {
        try {
          const url = new URL(request.url).searchParams.get('url');
          return new Response(await (await fetch(url!)).text());
        } catch (error) {
          return new Response((error as Error).message, { status: 502 });
        }
      },
    };`,
  );
  await shim.pushRoutes(routesTo({ backend: [first.pod.ip, second.pod.ip], empty: [] }));
  const call = (url: string) => ask(shim, caller.pod.ip, { path: `/?url=${encodeURIComponent(url)}` });
  await until('routes arrive', async () => (await call('http://backend/')).status === 200);
  const answers = new Set<string>();
  for (let count = 0; count < 6; count++) answers.add((await call('http://backend.default.svc/')).text);
  assert.deepEqual(answers, new Set(['first', 'second']));
  assert.match(
    (await call('http://bakend/')).text,
    /no Service "bakend" in namespace "default"; did you mean "backend"\?/,
  );
  assert.match((await call('http://empty/')).text, /has no ready endpoints/);

  await shim.stop(first.id, { graceSeconds: 5 });
  for (let count = 0; count < 4; count++) assert.equal((await call('http://backend/')).text, 'second');

  const counted =
    /istio_requests_total\{reporter="source",source_app="caller",source_workload_namespace="default",destination_service="backend\.default",response_code="200"\} (\d+)/;
  await until('telemetry arrives', async () => Number(counted.exec(await shim.metrics())?.[1]) >= 10);
});

test('egress is refused unless it is granted', async (t) => {
  const outside = http.createServer((_request, response) => response.end('outside')).listen(0, '127.0.0.1');
  await once(outside, 'listening');
  t.after(() => outside.close());
  const { port } = outside.address() as AddressInfo;
  const source = `
    export default {
      fetch: () => fetch('http://localhost:${port}/', { headers: { connection: 'close' } }).catch((error) => new Response(error.message, { status: 502 })),
    };`;
  const locked = await start('locked', source);
  const refused = await ask(shim, locked.pod.ip);
  assert.match(refused.text, new RegExp(`add the annotation selvage.dev/egress: "localhost:${port}"`));
  const grants = { worker: false, addons: false, egress: [`localhost:${port}`] };
  const local = await start('local', source, { grants });
  assert.match((await ask(shim, local.pod.ip)).text, /localhost is an address of the node itself/);
  const granted = await start('granted', source, { grants: { ...grants, localEgress: true } });
  assert.equal((await ask(shim, granted.pod.ip)).text, 'outside');
});

test('a program may listen on several ports, and close them', async () => {
  const source = `
    import { createServer } from 'node:http';
    const first = createServer((_request, response) => response.end('first'));
    const second = createServer((_request, response) => response.end('second'));
    first.listen(8080, () => console.log(JSON.stringify(first.address())));
    second.listen({ port: 9090, host: '0.0.0.0' });
    process.on('SIGUSR2', () => second.close(() => console.log('closed ' + second.listening)));`;
  const { pod, id, logPath } = await start('ports', source);
  await until('both listen', async () => (await ask(shim, pod.ip, { port: 9090 })).text === 'second');
  assert.equal((await ask(shim, pod.ip, { port: 8080 })).text, 'first');
  assert.equal((await ask(shim, pod.ip, { port: 1234 })).text, 'first', 'every port reaches the program');
  const { pid } = (await shim.list()).find((state) => state.id === id)!;
  process.kill(pid!, 'SIGUSR2');
  await until('it is closed', () => readFileSync(logPath, 'utf8').includes('closed false'));
  assert.equal((await ask(shim, pod.ip, { port: 9090 })).text, 'first');
  assert.match(
    readFileSync(logPath, 'utf8'),
    new RegExp(`"address":"${pod.ip}","family":"IPv4","port":8080`),
  );
});

test('mounts are read, and written only where they may be', async () => {
  const readable = folder.image('readable', { 'key.txt': 'value' });
  const writable = folder.image('writable', { 'old.txt': '' });
  const source = `
    import { readFileSync, writeFileSync } from 'node:fs';
    const attempt = (action: () => unknown) => { try { return action() ?? 'done'; } catch (error) { return (error as { code: string }).code; } };
    export default {
      fetch: () => Response.json({
        read: attempt(() => readFileSync(process.env.READABLE + '/key.txt', 'utf8')),
        writeThere: attempt(() => writeFileSync(process.env.READABLE + '/new.txt', 'x')),
        write: attempt(() => writeFileSync(process.env.WRITABLE + '/new.txt', 'x')),
        writeImage: attempt(() => writeFileSync('main.ts', 'x')),
      }),
    };`;
  const { pod } = await start('mounts', source, {
    env: { READABLE: readable, WRITABLE: writable },
    mounts: [
      { mountPath: '/config', hostPath: readable, readOnly: true },
      { mountPath: '/data', hostPath: writable, readOnly: false },
    ],
  });
  assert.deepEqual(JSON.parse((await ask(shim, pod.ip)).text), {
    read: 'value',
    writeThere: 'ERR_ACCESS_DENIED',
    write: 'done',
    writeImage: 'ERR_ACCESS_DENIED',
  });
});

test('a pod that is stopped answers a connection that is kept open, and says that it ends it', async () => {
  const { id, pod } = await start('kept', `export default { fetch: () => new Response('here') };`);
  const socket = await shim.dial({ podIP: pod.ip, port: 80 });
  const agent = Object.assign(new http.Agent({ keepAlive: true, maxSockets: 1 }), {
    createConnection: () => socket,
  });
  const call = () =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.get({ host: pod.ip, agent }, (response) => {
        response.resume().once('end', () => resolve(response));
      });
      request.once('error', reject);
    });
  assert.equal((await call()).headers.connection, 'keep-alive');
  const stopped = shim.stop(id, { graceSeconds: 30 });
  let last: http.IncomingMessage;
  do last = await call();
  while (last.headers.connection !== 'close');
  assert.equal(last.statusCode, 200);
  await stopped;
});

test('a LoadBalancer passes over any number of pods of its node that do not listen', async () => {
  const { pod } = await start('there', `export default { fetch: () => new Response('here') };`);
  const gone = [1, 2, 3, 4, 5, 6].map((host) => `10.42.9.${host}`);
  await shim.pushRoutes(routesTo({ many: [...gone, pod.ip] }, 'many'));
  const [listener] = await shim.setListeners([
    { namespace: 'default', service: 'many', port: 80, ip: '127.42.0.7' },
  ]);
  const answer = await fetch(`http://${listener!.boundIP}:${listener!.boundPort}/`);
  assert.equal(await answer.text(), 'here');
  await shim.setListeners([]);
});

test('a pod lists each of its volumes, also one whose name begins the name of another', async () => {
  const source = `
    import { readdirSync } from 'node:fs';
    const mounts = JSON.parse(process.env.SELVAGE_MOUNTS);
    export default { fetch: () => Response.json(Object.values(mounts).map((path) => readdirSync(path))) };`;
  const mounts = ['data', 'data-2'].map((name) => {
    const hostPath = volumeFolder(folder.dir, name);
    mkdirSync(hostPath, { recursive: true });
    writeFileSync(join(hostPath, `of-${name}`), '');
    return { mountPath: `/${name}`, hostPath, readOnly: true };
  });
  const { pod } = await start('lists', source, { mounts });
  assert.deepEqual(JSON.parse((await ask(shim, pod.ip)).text), [['of-data'], ['of-data-2']]);
});
