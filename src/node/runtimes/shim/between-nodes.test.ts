import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { silentLog } from '../../../base/log.ts';
import { until } from '../../../base/until.ts';
import { type Authority, openAuthority } from '../../../identity/authority.ts';
import type { RouteTable } from '../../../mesh/route-table.ts';
import { ask, makeFolder, specOf, startListening, type TestFolder } from '../fixture.ts';
import { connectShim, type PemIdentity, type ShimClient } from './client.ts';

// Two nodes, `a` and `b`, each with its own shim; pod `server` runs on b.
let folders: { a: TestFolder; b: TestFolder };
let a: ShimClient;
let b: ShimClient;
let authority: Authority;
let meshAddress: string;
const serverIP = '10.42.1.2';

before(async () => {
  folders = { a: makeFolder(), b: makeFolder() };
  authority = openAuthority({ dir: folders.a.dir });
  [a, b] = (await Promise.all(
    [folders.a, folders.b].map(({ dir }) =>
      connectShim({ dataDir: dir, log: silentLog, spawnIfAbsent: true }),
    ),
  )) as [ShimClient, ShimClient];
  const address = await b.openMeshPort({ host: '127.0.0.1', port: 0 });
  meshAddress = `${address.host}:${address.port}`;
  const source = `export default { fetch: (request) => new Response('from b: ' + request.headers.get('host')) };`;
  const rootDir = folders.b.image('server', { 'main.mjs': source });
  await b.pushIdentity('server', identityOf('server'));
  await startListening(b, specOf(folders.b, { name: 'server', ip: serverIP, rootDir, entry: 'main.mjs' }));
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/server']));
});
after(async () => {
  await Promise.all([a, b].map((shim) => shim.shutdown({ graceSeconds: 1 })));
  folders.a.remove();
  folders.b.remove();
});

function identityOf(account: string, uri = `spiffe://cluster.local/ns/default/sa/${account}`): PemIdentity {
  const issued = authority.issue({
    commonName: account,
    uris: [uri],
    usages: ['client', 'server'],
    lifetimeSeconds: 3600,
  });
  return { certificate: issued.chainPem, privateKey: issued.privateKeyPem, trustBundle: authority.caPem };
}

function routes(spiffeIds: string[], version = '1', address: string | undefined = meshAddress): RouteTable {
  const endpoint = {
    ip: serverIP,
    port: 8080,
    node: 'b',
    zone: '',
    isLocal: false,
    ...(address && { meshAddress: address }),
    spiffeIds,
  };
  return {
    version,
    node: { name: 'a', zone: '' },
    routes: [
      {
        namespace: 'default',
        name: 'server',
        clusterIPs: [],
        preferClose: true,
        localOnly: false,
        ports: [{ name: '', port: 80, endpoints: [endpoint] }],
      },
    ],
  };
}

async function startCaller(name: string, ip: string): Promise<() => Promise<string>> {
  const source = `
    export default {
      fetch: () => fetch('http://server/').catch((error) => new Response(error.message)),
    };`;
  const rootDir = folders.a.image(name, { 'main.mjs': source });
  await startListening(a, specOf(folders.a, { name, ip, rootDir, entry: 'main.mjs' }));
  return async () => (await ask(a, ip)).text;
}

test('a pod calls a pod on another node over mutual TLS, once both have identities', async () => {
  const call = await startCaller('caller', '10.42.0.2');
  assert.match(await call(), /has no mesh identity yet/);
  await a.pushIdentity('caller', identityOf('caller'));
  await until('the identity arrives', async () => (await call()) === 'from b: server');
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/other'], '2'));
  // The connection that stands was checked when it was made; a new pod has none.
  const wary = await startCaller('wary', '10.42.0.3');
  await a.pushIdentity('wary', identityOf('wary'));
  await until('the peer is refused', async () =>
    (await wary()).includes('peer identifies as spiffe://cluster.local/ns/default/sa/server'),
  );
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/server'], '3'));
  await until('it is accepted again', async () => (await wary()) === 'from b: server');
});

test('a pod that is told routes and identity while its process starts knows both', async () => {
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/nobody'], 'before'));
  const starting = startCaller('early', '10.42.0.6');
  const told = [
    a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/server'], 'meanwhile')),
    a.pushIdentity('early', identityOf('early')),
  ];
  const call = await starting;
  await Promise.all(told);
  assert.equal(await call(), 'from b: server');
});

test('a renewed identity is used without a restart', async () => {
  await b.pushIdentity('server', identityOf('renewed'));
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/renewed'], '4'));
  const call = await startCaller('later', '10.42.0.4');
  await a.pushIdentity('later', identityOf('later'));
  await until('the new certificate is shown', async () => (await call()) === 'from b: server');
  await b.pushIdentity('server', identityOf('server'));
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/server'], '5'));
});

test('the mesh port takes only TLS with a certificate of the cluster', async (t) => {
  const [host, port] = meshAddress.split(':') as [string, string];
  const open = async () => {
    const socket = net.connect({ host, port: Number(port) });
    t.after(() => socket.destroy());
    socket.write(`CONNECT ${serverIP}:8080 HTTP/1.1\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.equal(head.toString(), 'HTTP/1.1 200 OK\r\n\r\n');
    return socket;
  };
  const plain = await open();
  plain.write('GET / HTTP/1.1\r\nhost: server\r\n\r\n');
  const answer = await plain.toArray().then(
    (chunks) => Buffer.concat(chunks as Buffer[]).toString(),
    () => '',
  );
  assert.doesNotMatch(answer, /from b/);

  const anonymous = tls.connect({
    socket: await open(),
    ca: authority.caPem,
    checkServerIdentity: () => undefined,
  });
  await assert.rejects(async () => {
    await once(anonymous, 'secureConnect');
    anonymous.write('GET / HTTP/1.1\r\nhost: server\r\n\r\n');
    await once(anonymous, 'data');
  });

  const unknown = net.connect({ host, port: Number(port) });
  unknown.write('CONNECT 10.42.9.9:80 HTTP/1.1\r\n\r\n');
  const refusal = Buffer.concat((await unknown.toArray()) as Buffer[]).toString();
  assert.match(refusal, /^HTTP\/1\.1 503 nothing listens at 10\.42\.9\.9/);
});

test('a LoadBalancer hands connections to local pods and carries them to remote ones', async () => {
  await a.pushNodeIdentity(identityOf('node-a', 'spiffe://cluster.local/node/a'));
  const [remote] = await a.setListeners([
    { namespace: 'default', service: 'server', port: 80, ip: '127.0.0.1' },
  ]);
  const url = `http://127.0.0.1:${remote!.boundPort}/`;
  const get = async (target: string) => {
    const response = await fetch(target, { headers: { connection: 'close' } });
    return response.text();
  };
  await until('the node identity arrives', async () =>
    (await get(url).catch(() => '')).startsWith('from b: 127.0.0.1'),
  );

  await b.pushRoutes({ ...routes([]), node: { name: 'b', zone: '' } });
  const [local] = await b.setListeners([
    { namespace: 'default', service: 'server', port: 80, ip: '127.42.0.9' },
  ]);
  assert.match(await get(`http://${local!.boundIP}:${local!.boundPort}/`), /^from b: 127\.42\.0\.9/);
});

test('a LoadBalancer takes another port when its own is taken, and says why', async (t) => {
  const blocker = http.createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  t.after(() => blocker.close());
  const { port } = blocker.address() as net.AddressInfo;
  const spec = { namespace: 'default', service: 'server', port, ip: '127.0.0.1' };
  const [state] = await a.setListeners([spec]);
  assert.match(state!.problem ?? '', /EADDRINUSE/);
  if (port + 8000 <= 65535) assert.equal(state!.boundPort, port + 8000);
  assert.deepEqual(await a.setListeners([spec]), [state], 'what listens stays');
  assert.deepEqual(await a.setListeners([]), []);
  const gone = net.connect({ host: state!.boundIP, port: state!.boundPort });
  await assert.rejects(once(gone, 'connect'), /ECONNREFUSED/);
});

test('a LoadBalancer without endpoints resets connections', async () => {
  const [state] = await a.setListeners([
    { namespace: 'default', service: 'nobody', port: 9, ip: '127.0.0.1' },
  ]);
  const socket = net.connect({ host: state!.boundIP, port: state!.boundPort });
  await assert.rejects(once(socket, 'close'), /ECONNRESET/);
  await a.setListeners([]);
});

test('a node without a mesh address is named in the error', async () => {
  await a.pushRoutes(routes(['spiffe://cluster.local/ns/default/sa/server'], '6', ''));
  const call = await startCaller('lost', '10.42.0.5');
  await a.pushIdentity('lost', identityOf('lost'));
  await until('the error advises', async () =>
    (await call()).includes('node "b" has no annotation selvage.dev/mesh-address'),
  );
});
