import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '../../base/errors.ts';
import { decode } from '../decode.ts';
import type { KindDefinition } from '../kind.ts';
import { configMap } from '../kinds/configMap.ts';
import { deployment } from '../kinds/deployment.ts';
import { pod } from '../kinds/pod.ts';
import { apiVersionOf, type KubeObject } from '../object.ts';
import { applyConfiguration } from './apply-configuration.ts';
import { lastAppliedAnnotation } from './last-applied.ts';
import { applyManagersMax, managersIn, updateManagersMax, type Writer } from './managers.ts';
import { trackUpdate } from './track-update.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind.
type Any = any;

/** One object that managers write in turn, as the server would let them. */
class Written {
  object: Any;
  #kind: KindDefinition;
  #seconds = 0;

  constructor(kind: KindDefinition) {
    this.#kind = kind;
  }

  apply(manager: string, body: object, force = false): this {
    const config = this.#decode(body);
    const writer = { ...this.#writer(manager), operation: 'Apply' as const };
    const { object, managedFields } = applyConfiguration({
      kind: this.#kind,
      writer,
      time: this.#time(),
      live: this.object,
      config,
      force,
    });
    this.object = { ...object, metadata: { ...object.metadata, managedFields } };
    return this;
  }

  update(manager: string, change: (object: Any) => object, subresource = ''): this {
    const previous = this.object;
    const next = this.#decode(change(structuredClone(previous ?? {})));
    delete next.metadata!.managedFields;
    const writer = { ...this.#writer(manager), subresource };
    const managedFields = trackUpdate({ kind: this.#kind, writer, time: this.#time(), previous, next });
    this.object = { ...next, metadata: { ...next.metadata, managedFields } };
    return this;
  }

  /** `manager` (or `manager/subresource`) to its fields. */
  owners(): Record<string, object> {
    return Object.fromEntries(
      managersIn(this.object.metadata).map(({ manager, subresource, fields }) => [
        subresource ? `${manager}/${subresource}` : manager,
        fields,
      ]),
    );
  }

  #decode(body: object): KubeObject {
    const { apiVersion, kind } = { apiVersion: apiVersionOf(this.#kind), kind: this.#kind.kind };
    return decode(this.#kind, { apiVersion, kind, metadata: { name: 'it', namespace: 'default' }, ...body })
      .object;
  }

  #writer(manager: string): Writer & { operation: 'Update' } {
    return { manager, operation: 'Update', subresource: '', apiVersion: apiVersionOf(this.#kind) };
  }

  #time(): string {
    return `2026-01-01T00:00:${String(this.#seconds++).padStart(2, '0')}Z`;
  }
}

function conflictOf(action: () => unknown): { message: string; causes: object[] | undefined } {
  try {
    action();
  } catch (error) {
    if (isStatus(error, 'Conflict')) return { message: error.message, causes: error.details?.causes };
    throw error;
  }
  throw new Error('there was no conflict');
}

const container = (more: object = {}) => ({ name: 'main', image: 'app:1', ...more });
const web = (spec: object, more: object = {}) => ({
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  ...more,
});

test('an applied configuration is owned field by field, without name and version', () => {
  const map = new Written(configMap).apply('kubectl', {
    metadata: { name: 'test-cm', namespace: 'default', labels: { 'test-label': 'test' } },
    data: { key: 'some value' },
  });
  assert.deepEqual(map.object.metadata.managedFields, [
    {
      manager: 'kubectl',
      operation: 'Apply',
      apiVersion: 'v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:metadata': { 'f:labels': { 'f:test-label': {} } }, 'f:data': { 'f:key': {} } },
    },
  ]);
});

test("an update moves a field to its writer, and the applier's next apply meets a conflict", () => {
  const map = new Written(configMap)
    .apply('kubectl', {
      metadata: { name: 'it', labels: { 'test-label': 'test' } },
      data: { key: 'some value' },
    })
    .update('kube-controller-manager', (object) => ({ ...object, data: { key: 'new value' } }));
  assert.deepEqual(map.owners(), {
    kubectl: { 'f:metadata': { 'f:labels': { 'f:test-label': {} } } },
    'kube-controller-manager': { 'f:data': { 'f:key': {} } },
  });
  const conflict = conflictOf(() => map.apply('kubectl', { data: { key: 'some value' } }));
  assert.equal(
    conflict.message,
    'Apply failed with 1 conflict: conflict with "kube-controller-manager" using v1: .data.key',
  );
  assert.deepEqual(conflict.causes, [
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "kube-controller-manager" using v1',
      field: '.data.key',
    },
  ]);
});

test('an apply with the value that is there already shares the field; by force it takes it', () => {
  const map = new Written(configMap).apply('a', { data: { key: '1' } }).apply('b', { data: { key: '1' } });
  assert.deepEqual(Object.keys(map.owners()), ['a', 'b']);
  assert.equal(
    conflictOf(() => map.apply('b', { data: { key: '2' } })).message,
    'Apply failed with 1 conflict: conflict with "a": .data.key',
  );
  map.apply('b', { data: { key: '2' } }, true);
  assert.deepEqual(map.owners(), { b: { 'f:data': { 'f:key': {} } } });
});

test('several conflicts are told by manager', () => {
  const map = new Written(configMap)
    .apply('a', { data: { one: '1', two: '2' } })
    .update('z', (object) => ({ ...object, data: { ...object.data, three: '3' } }));
  const { message } = conflictOf(() => map.apply('b', { data: { one: 'x', two: 'x', three: 'x' } }));
  assert.equal(
    message,
    'Apply failed with 3 conflicts: conflicts with "a":\n- .data.one\n- .data.two\nconflicts with "z" using v1:\n- .data.three',
  );
});

test('scaling through the subresource is a conflict that names it', () => {
  const it = new Written(deployment)
    .apply('kubectl', web({ replicas: 1 }))
    .update('kubectl', (object) => ({ ...object, spec: { ...object.spec, replicas: 3 } }), 'scale');
  assert.equal(
    conflictOf(() => it.apply('kubectl', web({ replicas: 1 }))).message,
    'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
  );
  // To leave the replicas to others is to leave them out.
  it.apply('kubectl', web({}));
  assert.equal(it.object.spec.replicas, 3);
});

test('what an applier leaves out goes when nobody else owns it, and stays when somebody does', () => {
  const map = new Written(configMap)
    .apply('a', { data: { mine: '1', ours: '1', left: '1' } })
    .apply('b', { data: { ours: '1' } })
    .update('c', (object) => ({ ...object, data: { ...object.data, theirs: '1' } }))
    .apply('a', { data: { left: '1' } });
  assert.deepEqual(map.object.data, { ours: '1', left: '1', theirs: '1' });
  map.apply('a', {});
  assert.deepEqual(map.object.data, { ours: '1', theirs: '1' });
  assert.deepEqual(Object.keys(map.owners()), ['b', 'c']);
});

test('a map goes with the last of its entries', () => {
  const map = new Written(configMap).apply('a', { data: { key: '1' }, immutable: false }).apply('a', {});
  assert.equal(map.object.data, undefined);
  assert.equal(map.object.immutable, undefined);
  assert.equal(map.object.metadata.managedFields, undefined);
});

test('list items are merged by key and belong to whom applied them', () => {
  const it = new Written(pod)
    .apply('a', { spec: { containers: [container({ ports: [{ containerPort: 80, name: 'http' }] })] } })
    .apply('b', { spec: { containers: [{ name: 'side', image: 'side:1' }] } });
  assert.deepEqual(
    it.object.spec.containers.map(({ name }: { name: string }) => name),
    ['main', 'side'],
  );
  assert.deepEqual(it.owners().a, {
    'f:spec': {
      'f:containers': {
        'k:{"name":"main"}': {
          '.': {},
          'f:name': {},
          'f:image': {},
          'f:ports': {
            'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:name': {} },
          },
        },
      },
    },
  });
  it.apply('a', { spec: { containers: [container()] } });
  assert.equal(it.object.spec.containers[0].ports, undefined);
  it.apply('b', { spec: {} });
  assert.equal(it.object.spec.containers.length, 1);
});

test('a list item goes with what nobody owns in it, even where an updater changed a part', () => {
  const it = new Written(pod)
    .apply('a', { spec: { containers: [container(), { name: 'side', image: 'side:1' }] } })
    .update('set-image', (object) => {
      object.spec.containers[1].image = 'side:2';
      object.spec.containers[1].imagePullPolicy = 'Always';
      return object;
    })
    .apply('a', { spec: { containers: [container()] } });
  assert.equal(it.object.spec.containers.length, 1);
  assert.deepEqual(Object.keys(it.owners()), ['a']);
});

test('the order of the configuration counts; what others added stays in its place', () => {
  const names = (it: Written) =>
    it.object.spec.containers.map(({ name }: { name: string }) => name).join(' ');
  const list = (...all: string[]) => ({ spec: { containers: all.map((name) => ({ name, image: 'i' })) } });
  const it = new Written(pod).apply('a', list('one', 'two')).apply('b', list('zero'));
  assert.equal(names(it), 'one two zero');
  it.apply('a', list('two', 'one'));
  assert.equal(names(it), 'two one zero');
  it.apply('a', list('three', 'two', 'one'));
  assert.equal(names(it), 'three two one zero');
});

test('the values of a set are owned one by one', () => {
  const finalizers = (...all: string[]) => ({ metadata: { name: 'it', finalizers: all } });
  const map = new Written(configMap)
    .apply('a', finalizers('x/one', 'x/two'))
    .apply('b', finalizers('x/two', 'x/three'));
  assert.deepEqual(map.object.metadata.finalizers, ['x/one', 'x/two', 'x/three']);
  map.apply('a', {});
  assert.deepEqual(map.object.metadata.finalizers, ['x/two', 'x/three']);
  assert.deepEqual(map.owners(), {
    b: { 'f:metadata': { 'f:finalizers': { 'v:"x/two"': {}, 'v:"x/three"': {} } } },
  });
});

test('an atomic value is owned and replaced as a whole', () => {
  const it = new Written(deployment).apply('a', web({}));
  assert.deepEqual(it.owners(), { a: { 'f:spec': { 'f:selector': {} } } });
  const other = { spec: { selector: { matchLabels: { tier: 'front' } } } };
  assert.match(conflictOf(() => it.apply('b', other)).message, /conflict with "a": \.spec\.selector$/);
  it.apply('b', other, true);
  assert.deepEqual(it.object.spec.selector, { matchLabels: { tier: 'front' } });
});

test('an apply that changes nothing keeps its time', () => {
  const config = { data: { key: '1' } };
  const map = new Written(configMap).apply('a', config).apply('a', config);
  assert.equal(map.object.metadata.managedFields[0].time, '2026-01-01T00:00:00Z');
  map.apply('a', { data: { key: '2' } });
  assert.equal(map.object.metadata.managedFields[0].time, '2026-01-01T00:00:02Z');
});

test('whoever creates an object owns all of it', () => {
  const map = new Written(configMap).update('kubectl-create', () => ({
    metadata: { name: 'it', labels: { a: 'b' } },
    data: { key: '1' },
  }));
  assert.deepEqual(map.owners(), {
    'kubectl-create': {
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:data': { '.': {}, 'f:key': {} },
    },
  });
});

test('what was written before anybody was tracked belongs to before-first-apply', () => {
  const map = new Written(configMap);
  map.object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'it' }, data: { key: '1' } };
  map.update('b', (object) => ({ ...object, data: { key: '2' } }));
  assert.equal(map.object.metadata.managedFields, undefined);
  assert.match(
    conflictOf(() => map.apply('a', { data: { key: '3' } })).message,
    /conflict with "before-first-apply" using v1: \.data\.key/,
  );
  map.apply('a', { data: { key: '2' } });
  assert.deepEqual(Object.keys(map.owners()), ['a', 'before-first-apply']);
});

test('kubectl takes over what it applied on the client side, and nothing that changed since', () => {
  const applied = { data: { same: '1', other: '1' } };
  const note = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'it' }, ...applied });
  const made = () =>
    new Written(configMap).update('kubectl-client-side-apply', () => ({
      metadata: { name: 'it', annotations: { [lastAppliedAnnotation]: note } },
      ...applied,
    }));
  const map = made().apply('kubectl', { data: { same: '2', other: '1' } });
  assert.equal(map.object.data.same, '2');
  assert.match(map.object.metadata.annotations[lastAppliedAnnotation], /"same":"2"/);
  const changed = made().update('else', (object) => ({ ...object, data: { ...object.data, other: 'x' } }));
  assert.match(
    conflictOf(() => changed.apply('kubectl', { data: { same: '2', other: '1' } })).message,
    /^Apply failed with 1 conflict: conflict with "else" using v1: \.data\.other$/,
  );
  assert.throws(
    () => made().apply('argo', { data: { same: '2' } }),
    /conflict with "kubectl-client-side-apply"/,
  );
});

test('a configuration that names an item twice, or not at all, is refused', () => {
  const it = new Written(pod).apply('a', { spec: { containers: [container()] } });
  const env = (...all: object[]) => ({ spec: { containers: [container({ env: all })] } });
  assert.throws(
    () => it.apply('a', env({ name: 'A', value: '1' }, { name: 'A', value: '2' })),
    /failed to create typed patch object \(default\/it; v1, Kind=Pod\): duplicate entries for key {"name":"A"}/,
  );
  assert.throws(() => it.apply('a', env({ value: '1' })), /an element that omits all key fields \["name"\]/);
});

test('items that an update made twice do not trouble an apply of others', () => {
  const twice = [
    { name: 'A', value: '1' },
    { name: 'A', value: '2' },
  ];
  const it = new Written(pod)
    .update('u', () => ({ spec: { containers: [container({ env: twice })] } }))
    .apply('a', { spec: { containers: [{ name: 'main', env: [{ name: 'B', value: '1' }] }] } });
  assert.deepEqual(it.object.spec.containers[0].env, [...twice, { name: 'B', value: '1' }]);
  it.apply('a', { spec: { containers: [{ name: 'main', env: [{ name: 'A', value: '3' }] }] } }, true);
  assert.deepEqual(it.object.spec.containers[0].env, [{ name: 'A', value: '3' }]);
});

test('an update with an item without its key goes through, and leaves the owners as they were', () => {
  const map = new Written(configMap).apply('a', { data: { key: '1' } });
  const owners = map.owners();
  map.update('u', (object) => ({
    ...object,
    metadata: { ...object.metadata, ownerReferences: [{ name: 'x' }] },
  }));
  assert.deepEqual(map.owners(), owners);
});

test('the oldest updaters are merged when there are too many', () => {
  const map = new Written(configMap).update('first', () => ({ data: { first: '1' } }));
  for (let index = 0; index < updateManagersMax + 3; index++) {
    map.update(`u${index}`, (object) => ({ ...object, data: { ...object.data, [`k${index}`]: '1' } }));
  }
  const owners = map.owners();
  assert.equal(Object.keys(owners).length, updateManagersMax);
  assert.deepEqual(owners['ancient-changes'], {
    'f:data': { '.': {}, 'f:first': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {}, 'f:k3': {} },
  });
});

test('the number of appliers is bounded', () => {
  const map = new Written(configMap);
  for (let index = 0; index < applyManagersMax; index++) {
    map.apply(`a${index}`, { data: { [`k${index}`]: '1' } });
  }
  assert.throws(
    () => map.apply('one-more', { data: { more: '1' } }),
    /Too many: 101: must have at most 100 items/,
  );
  map.apply('a0', { data: { k0: '2' } });
});
