import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../../base/errors.ts';
import type { Transport } from '../../client/transport.ts';
import { configMap, deployment, mergePatch, pod, send } from '../test-request.ts';
import { startTestServer } from '../test-server.ts';
import type { AdmissionPlugin, AdmissionRequest } from './chain.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

async function serve(plugins: AdmissionPlugin[], use: (api: Transport) => Promise<void>): Promise<void> {
  const running = await startTestServer({ listens: false, admission: plugins });
  try {
    await use(running.server.transport());
  } finally {
    await running.close();
  }
}

/** Notes what it sees, as `OPERATION resource/subresource name`. */
function witness(seen: string[], only: (request: AdmissionRequest) => boolean = () => true): AdmissionPlugin {
  return {
    name: 'Witness',
    validate(request) {
      if (!only(request)) return;
      const { operation, resource, subresource, name, object, oldObject, dryRun } = request;
      const at = [resource.kind.plural, ...(subresource ? [subresource] : [])].join('/');
      const kinds = [object?.kind, oldObject && `was ${oldObject.kind}`].filter(Boolean).join(', ');
      seen.push(`${operation} ${at} ${name} (${kinds})${dryRun ? ' dry' : ''}`);
    },
  };
}

const ofTest = ({ name }: AdmissionRequest) => name.startsWith('t-');

test('every write verb is seen by admission, with what it writes and what was there', async () => {
  const seen: string[] = [];
  await serve([witness(seen, ofTest)], async (api) => {
    await send(api, `POST ${maps}`, { body: configMap('t-map') });
    await send(api, `PUT ${maps}/t-map`, { body: configMap('t-map', { data: { a: '1' } }) });
    await mergePatch(api, `${maps}/t-map?dryRun=All`, { data: { a: '2' } });
    const applied = { headers: { 'content-type': 'application/apply-patch+yaml' } };
    await send(api, `PATCH ${maps}/t-made?fieldManager=me`, { body: configMap('t-made'), ...applied });
    await send(api, `DELETE ${maps}/t-map`);
    await send(api, `DELETE ${maps}`);
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    await send(api, `POST ${deployments}`, { body: deployment('t-web') });
    await mergePatch(api, `${deployments}/t-web/scale`, { spec: { replicas: 3 } });
    await mergePatch(api, `${deployments}/t-web/status`, { status: { replicas: 1 } });
    await send(api, `POST ${pods}`, { body: pod('t-pod') });
    await send(api, `POST ${pods}/t-pod/binding`, { body: { target: { kind: 'Node', name: 'n' } } });
    await send(api, `POST ${pods}/t-pod/eviction`, { body: { metadata: { name: 't-pod' } } });
  });
  assert.deepEqual(seen, [
    'CREATE configmaps t-map (ConfigMap)',
    'UPDATE configmaps t-map (ConfigMap, was ConfigMap)',
    'UPDATE configmaps t-map (ConfigMap, was ConfigMap) dry',
    'CREATE configmaps t-made (ConfigMap)',
    'DELETE configmaps t-map (was ConfigMap)',
    'DELETE configmaps t-made (was ConfigMap)',
    'CREATE deployments t-web (Deployment)',
    'UPDATE deployments/scale t-web (Scale, was Scale)',
    'UPDATE deployments/status t-web (Deployment, was Deployment)',
    'CREATE pods t-pod (Pod)',
    'CREATE pods/binding t-pod (Binding)',
    'CREATE pods/eviction t-pod (Eviction)',
  ]);
});

test('a mutating plugin runs before validation and numbering, a refusal in it stores nothing', async () => {
  const labels: AdmissionPlugin = {
    name: 'Labels',
    mutate(request) {
      const { metadata } = request.object!;
      if (metadata!.name === 't-no') throw new StatusError('Forbidden', 'not this one');
      metadata!.labels = { ...metadata!.labels, seen: metadata!.name === 't-bad' ? 'not valid!' : 'yes' };
    },
  };
  await serve([{ ...labels, handles: (_operation, kind) => kind.plural === 'configmaps' }], async (api) => {
    const made = await send(api, `POST ${maps}`, { body: configMap('t-map') });
    assert.deepEqual(made.object.metadata!.labels, { seen: 'yes' });
    assert.equal(made.object.metadata!.managedFields, undefined, 'what admission sets is nobody’s');
    assert.equal((await send(api, `POST ${maps}`, { body: configMap('t-bad') })).code, 422);
    assert.equal(
      (await send(api, `POST ${maps}`, { body: configMap('t-no') })).object.message,
      'not this one',
    );
    assert.equal((await send(api, `GET ${maps}/t-no`)).code, 404);
  });
});

test('an update that lost a race is admitted again with what is there then', async () => {
  const olds: unknown[] = [];
  let api: Transport;
  const slow: AdmissionPlugin = {
    name: 'Slow',
    handles: (operation, kind) => operation === 'UPDATE' && kind.plural === 'configmaps',
    async mutate({ oldObject, user }) {
      if (user.name === 'other') return;
      olds.push((oldObject as unknown as { data: object }).data);
      if (olds.length === 1) await mergePatch(other, `${maps}/t-map`, { data: { b: '2' } });
    },
  };
  let other: Transport;
  const running = await startTestServer({ listens: false, admission: [slow] });
  try {
    api = running.server.transport();
    other = running.server.transport({ name: 'other', groups: ['system:masters'] });
    await send(api, `POST ${maps}`, { body: configMap('t-map', { data: { a: '1' } }) });
    const { object } = await mergePatch(api, `${maps}/t-map`, { data: { c: '3' } });
    assert.deepEqual(object.data, { a: '1', b: '2', c: '3' });
    assert.deepEqual(olds, [{ a: '1' }, { a: '1', b: '2' }]);
  } finally {
    await running.close();
  }
});

test('what a plugin took for a write that fails is given back', async () => {
  let taken = 0;
  const taking: AdmissionPlugin = {
    name: 'Taking',
    handles: (operation, kind) => operation === 'CREATE' && kind.plural === 'configmaps',
    validate(request) {
      taken++;
      request.afterwards((isStored) => {
        if (!isStored) taken--;
      });
    },
  };
  await serve([taking], async (api) => {
    const codes = [];
    for (let tries = 0; tries < 2; tries++) {
      codes.push((await send(api, `POST ${maps}`, { body: configMap('t-map') })).code);
    }
    assert.deepEqual(codes, [201, 409]);
    assert.equal(taken, 1);
  });
});

test('warnings reach the client, and an idle plugin is not asked', async () => {
  let asked = 0;
  const warns: AdmissionPlugin = { name: 'Warns', validate: (request) => request.warn('mind the gap') };
  const idle: AdmissionPlugin = { name: 'Idle', isIdle: () => true, validate: () => void asked++ };
  await serve([warns, idle], async (api) => {
    const { headers } = await send(api, `POST ${maps}`, { body: configMap('t-map') });
    assert.equal(headers.warning, '299 - "mind the gap"');
    assert.equal(asked, 0);
  });
});
