// What an operator does, written against the official JavaScript client alone: typed calls, generic objects, server-side
// apply, informers, watches, optimistic concurrency and leader election. Prints a line for each step; throws when one fails.
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const leases = config.makeApiClient(k8s.CoordinationV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const namespace = 'operators';

const done = (step) => console.log(`done: ${step}`);
const codeOf = (error) => error.code ?? error.statusCode;

async function until(what, isSo) {
  for (const endMs = Date.now() + 60_000; Date.now() < endMs; ) {
    const value = await isSo();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited 60 s until ${what}`);
}

async function typedCalls() {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { generateName: 'settings-', labels: { app: 'a' } }, data: { colour: 'blue' } },
  });
  assert.match(made.metadata.name, /^settings-[a-z0-9]{5}$/);
  assert.ok(made.metadata.creationTimestamp instanceof Date);
  const { name } = made.metadata;
  const read = await core.readNamespacedConfigMap({ namespace, name });
  assert.deepEqual(read.data, { colour: 'blue' });
  const replaced = await core.replaceNamespacedConfigMap({
    namespace,
    name,
    body: { ...read, data: { colour: 'red' } },
  });
  assert.notEqual(replaced.metadata.resourceVersion, read.metadata.resourceVersion);
  await assert.rejects(core.replaceNamespacedConfigMap({ namespace, name, body: read }), (error) => {
    assert.equal(codeOf(error), 409);
    assert.match(
      String(error.body),
      /the object has been modified; please apply your changes to the latest version/,
    );
    return true;
  });
  const patched = await core.patchNamespacedConfigMap(
    { namespace, name, body: [{ op: 'add', path: '/data/size', value: '1' }] },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch),
  );
  assert.deepEqual(patched.data, { colour: 'red', size: '1' });
  const merged = await core.patchNamespacedConfigMap(
    { namespace, name, body: { data: { size: null } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
  );
  assert.deepEqual(merged.data, { colour: 'red' });
  const labelled = await core.listNamespacedConfigMap({ namespace, labelSelector: 'app in (a,b),!gone' });
  assert.deepEqual(
    labelled.items.map((item) => item.metadata.name),
    [name],
  );
  const deleted = await core.deleteNamespacedConfigMap({ namespace, name });
  assert.equal(deleted.status, 'Success');
  await assert.rejects(core.readNamespacedConfigMap({ namespace, name }), (error) => codeOf(error) === 404);
  done('typed create, read, replace with a conflict, patches, list by labels, delete');
}

async function pages() {
  for (let at = 0; at < 25; at++) {
    await core.createNamespacedSecret({
      namespace,
      body: { metadata: { name: `s-${String(at).padStart(2, '0')}` }, stringData: { n: String(at) } },
    });
  }
  const names = [];
  let _continue;
  let count = 0;
  do {
    const page = await core.listNamespacedSecret({ namespace, limit: 10, _continue });
    names.push(...page.items.map((item) => item.metadata.name));
    _continue = page.metadata._continue;
    count++;
  } while (_continue);
  assert.equal(count, 3);
  assert.deepEqual(names, [...names].sort());
  assert.equal(names.length, 25);
  const one = await core.readNamespacedSecret({ namespace, name: 's-07' });
  assert.equal(Buffer.from(one.data.n, 'base64').toString(), '7');
  await core.deleteCollectionNamespacedSecret({ namespace });
  assert.equal((await core.listNamespacedSecret({ namespace })).items.length, 0);
  done('25 secrets in pages of 10, deleted as a collection');
}

async function genericObjects() {
  const manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web:1' }] },
      },
    },
  };
  const apply = (object, manager, force) =>
    objects.patch(object, undefined, undefined, manager, force, k8s.PatchStrategy.ServerSideApply);
  const applied = await apply(manifest, 'operator');
  assert.equal(applied.metadata.managedFields[0].manager, 'operator');
  assert.equal(applied.metadata.managedFields[0].operation, 'Apply');
  const other = structuredClone(manifest);
  other.spec.replicas = 2;
  await assert.rejects(apply(other, 'someone-else'), (error) => {
    assert.equal(codeOf(error), 409);
    assert.match(String(error.body), /conflict with \\"operator\\": \.spec\.replicas/);
    return true;
  });
  const forced = await apply(other, 'someone-else', true);
  assert.equal(forced.spec.replicas, 2);
  const dry = await objects.create({ ...manifest, metadata: { name: 'never', namespace } }, undefined, 'All');
  assert.ok(dry.metadata.uid);
  await assert.rejects(
    objects.read({ ...manifest, metadata: { name: 'never', namespace } }),
    (error) => codeOf(error) === 404,
  );
  // The controllers write to it too: whoever replaces what has changed meanwhile reads it again.
  await until('the scale is replaced', async () => {
    const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'web' });
    const body = { ...scale, spec: { replicas: 0 } };
    return apps.replaceNamespacedDeploymentScale({ namespace, name: 'web', body }).catch((error) => {
      if (codeOf(error) !== 409) throw error;
    });
  });
  await until('the deployment is observed at 0', async () => {
    const { spec, status, metadata } = await apps.readNamespacedDeployment({ namespace, name: 'web' });
    return spec.replicas === 0 && status.observedGeneration === metadata.generation;
  });
  await objects.delete(manifest, undefined, undefined, undefined, undefined, 'Foreground');
  await until('the deployment and its replica sets are gone', async () => {
    const left = await apps.listNamespacedReplicaSet({ namespace });
    const found = await apps.readNamespacedDeployment({ namespace, name: 'web' }).catch(codeOf);
    return left.items.length === 0 && found === 404;
  });
  done('generic objects: apply, a conflict, force, dry run, scale, foreground deletion');
}

async function informers() {
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'watched=yes' });
  const informer = k8s.makeInformer(
    config,
    `/api/v1/namespaces/${namespace}/configmaps`,
    list,
    'watched=yes',
  );
  const seen = [];
  for (const verb of ['add', 'update', 'delete']) {
    informer.on(verb, ({ metadata, data }) => seen.push(`${verb} ${metadata.name} ${data?.v}`));
  }
  informer.on('error', (error) => seen.push(`error ${error}`));
  const body = (name, v) => ({ metadata: { name, labels: { watched: 'yes' } }, data: { v } });
  await core.createNamespacedConfigMap({ namespace, body: body('before', '0') });
  await informer.start();
  await core.createNamespacedConfigMap({ namespace, body: body('one', '1') });
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'unseen' } } });
  await core.replaceNamespacedConfigMap({ namespace, name: 'one', body: body('one', '2') });
  await core.deleteNamespacedConfigMap({ namespace, name: 'before' });
  await until('four events', () => seen.length >= 4);
  assert.deepEqual(seen, ['add before 0', 'add one 1', 'update one 2', 'delete before 0']);
  assert.equal(informer.get('one', namespace).data.v, '2');
  await informer.stop();
  done('an informer with a selector: what was there, added, updated, deleted');
}

async function watches() {
  const { metadata } = await core.listNamespacedPod({ namespace });
  const watch = new k8s.Watch(config);
  const seen = [];
  const ended = Promise.withResolvers();
  await watch.watch(
    `/api/v1/namespaces/${namespace}/pods`,
    { resourceVersion: metadata.resourceVersion, timeoutSeconds: 2 },
    (type, object) => seen.push(`${type} ${object.metadata.name}`),
    (error) => (error ? ended.reject(error) : ended.resolve()),
  );
  const pod = {
    metadata: { name: 'unplaced' },
    spec: { nodeSelector: { no: 'where' }, containers: [{ name: 'c', image: 'c:1' }] },
  };
  await core.createNamespacedPod({ namespace, body: pod });
  await core.deleteNamespacedPod({ namespace, name: 'unplaced', gracePeriodSeconds: 0 });
  await ended.promise;
  assert.equal(seen[0], 'ADDED unplaced');
  assert.equal(seen.at(-1), 'DELETED unplaced');
  done('a watch from a revision, ended by the server after its timeout');
}

/** Leader election as client-go does it: whoever may replace an expired Lease leads; a lost race is a conflict. */
async function leaderElection() {
  const name = 'leader';
  const now = () => new k8s.V1MicroTime();
  const take = async (holder, seconds) => {
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: seconds,
      acquireTime: now(),
      renewTime: now(),
    };
    const found = await leases.readNamespacedLease({ namespace, name }).catch((error) => {
      if (codeOf(error) !== 404) throw error;
    });
    try {
      if (!found) await leases.createNamespacedLease({ namespace, body: { metadata: { name }, spec } });
      else {
        const { holderIdentity, renewTime, leaseDurationSeconds } = found.spec;
        const isFree = new Date(renewTime).getTime() + leaseDurationSeconds * 1000 < Date.now();
        if (holderIdentity !== holder && !isFree) return false;
        await leases.replaceNamespacedLease({ namespace, name, body: { ...found, spec } });
      }
      return true;
    } catch (error) {
      if (codeOf(error) === 409) return false;
      throw error;
    }
  };
  const candidates = ['a', 'b', 'c', 'd', 'e'];
  const first = await Promise.all(candidates.map((candidate) => take(candidate, 1)));
  assert.equal(first.filter(Boolean).length, 1, `leaders at first: ${first}`);
  const leader = candidates[first.indexOf(true)];
  assert.equal(await take(leader, 1), true);
  const rest = candidates.filter((candidate) => candidate !== leader);
  await until('another one leads once the lease has expired', async () => {
    const won = await Promise.all(rest.map((candidate) => take(candidate, 60)));
    assert.ok(won.filter(Boolean).length <= 1, `leaders at once: ${won}`);
    return won.includes(true);
  });
  assert.equal(await take(leader, 60), false);
  done('leader election by a Lease: five candidates, one leader at a time');
}

await typedCalls();
await pages();
await genericObjects();
await informers();
await watches();
await leaderElection();
await core.deleteNamespace({ name: namespace });
await until('the namespace is gone', () =>
  core.readNamespace({ name: namespace }).then(
    () => false,
    (error) => codeOf(error) === 404,
  ),
);
done('the namespace and all in it deleted');
process.exit(0);
