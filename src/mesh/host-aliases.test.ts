import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { hostAliasesOf } from './host-aliases.ts';
import { createMeshClient } from './mesh-client.ts';

test('a name of the pod is asked at its address, under its own name; the first line holds', async (t) => {
  const server = http
    .createServer((request, response) => response.end(request.headers.host))
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  const dialled: string[] = [];
  const mesh = createMeshClient({
    namespace: 'default',
    hostAliases: hostAliasesOf([
      { ip: '127.0.0.1', hostnames: ['Db.Example', 'db'] },
      { ip: '192.0.2.1', hostnames: ['db'] },
      { ip: '192.0.2.2' },
    ]),
    dial: async ({ host, port }) => {
      dialled.push(host);
      const socket = net.connect({ host, port });
      await once(socket, 'connect');
      return socket;
    },
  });
  t.after(() => mesh.close());
  assert.equal(await (await mesh.fetch(`http://DB.example:${port}/`)).text(), `db.example:${port}`);
  const [answer] = await once(http.get({ host: 'db', port, agent: mesh.httpAgent }), 'response');
  answer.resume();
  await once(answer, 'end');
  assert.deepEqual([...new Set(dialled)], ['127.0.0.1']);
});

test('what objects have by birth is no name', () => {
  const aliases = hostAliasesOf([{ ip: '192.0.2.1', hostnames: ['constructor'] }]);
  assert.deepEqual(Object.keys(aliases), ['constructor']);
  assert.equal(aliases.toString, undefined);
});
