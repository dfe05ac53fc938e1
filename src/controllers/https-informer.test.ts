import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMap as configMapKind } from '../api/kinds/configMap.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { systemClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import { createClient } from '../client/create-client.ts';
import { httpTransport } from '../client/http-transport.ts';
import { createInformer } from '../client/informer.ts';

test('an informer over HTTPS follows the real server, through lost connections and a forgotten history', async () => {
  const api = await startTestServer();
  const { certificatePem, privateKeyPem } = api.issueClient('tester');
  const transport = httpTransport({
    server: `https://127.0.0.1:${api.port}`,
    caPem: api.authority.caPem,
    clientCertificatePem: certificatePem,
    clientKeyPem: privateKeyPem,
  });
  const admin = createClient(api.server.transport());
  const changes: string[] = [];
  const stop = new AbortController();
  const informer = createInformer({
    client: createClient(transport),
    kind: configMapKind,
    namespace: 'default',
    clock: systemClock,
    log: silentLog,
    // The shortest waits.
    random: () => 0.99,
    onChange: ({ type, key }) => changes.push(`${type} ${key}`),
  });
  const make = (name: string) =>
    admin.create(configMapKind, { metadata: { name, namespace: 'default' }, data: { key: name } });
  const told = (change: string) => until(change, async () => changes.includes(change));
  try {
    await make('first');
    informer.start(stop.signal);
    await told('added default/first');
    await make('second');
    await told('added default/second');

    transport.close();
    await make('third');
    await told('added default/third');

    transport.close();
    await admin.delete(configMapKind, { namespace: 'default', name: 'first' });
    await make('fourth');
    api.store.compact(api.store.revision());
    await told('deleted default/first');
    await told('added default/fourth');
    assert.deepEqual(changes.toSorted(), [
      'added default/first',
      'added default/fourth',
      'added default/second',
      'added default/third',
      'deleted default/first',
    ]);
    assert.deepEqual(informer.get('default/second')?.data, { key: 'second' });
  } finally {
    stop.abort();
    transport.close();
    await api.close();
  }
});

test('the client tells the failures of the real server by their reasons', async () => {
  const api = await startTestServer();
  const transport = httpTransport({
    server: `https://127.0.0.1:${api.port}`,
    caPem: api.authority.caPem,
    token: 'wrong',
  });
  try {
    await assert.rejects(createClient(transport).list(configMapKind), (error) =>
      isStatus(error, 'Unauthorized'),
    );
    const admin = createClient(api.server.transport());
    await assert.rejects(admin.get(configMapKind, { namespace: 'default', name: 'none' }), (error) =>
      isStatus(error, 'NotFound'),
    );
  } finally {
    transport.close();
    await api.close();
  }
});
