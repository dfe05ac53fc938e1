import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployment } from '../kinds/deployment.ts';
import { pod } from '../kinds/pod.ts';
import { service } from '../kinds/service.ts';
import { jsonPatch, jsonPatchCopiedLengthMax, jsonPatchOperationsMax } from './json-patch.ts';
import { mergePatch } from './merge-patch.ts';
import { strategicMergePatch } from './strategic-merge-patch.ts';

test('a JSON patch does what the examples of RFC 6902 say', () => {
  const table: [object, unknown[], object][] = [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [{ baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
    [
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [{ foo: ['a', 'b', 'c'] }, [{ op: 'move', from: '/foo/0', path: '/foo/2' }], { foo: ['b', 'c', 'a'] }],
    [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
    [{ foo: null }, [{ op: 'test', path: '/foo', value: null }], { foo: null }],
    [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
    [{ a: { b: 1 } }, [{ op: 'copy', from: '/a', path: '/c' }], { a: { b: 1 }, c: { b: 1 } }],
  ];
  for (const [before, patch, after] of table) {
    const kept = structuredClone(before);
    assert.deepEqual(jsonPatch(before, patch), after, JSON.stringify(patch));
    assert.deepEqual(before, kept, 'the given object stays');
  }
});

test('a JSON patch that does not fit is Invalid, and what is no patch a BadRequest', () => {
  const doesNotFit = [
    { op: 'test', path: '/a', value: 2 },
    { op: 'remove', path: '/b' },
    { op: 'replace', path: '/b', value: 1 },
    { op: 'add', path: '/b/c', value: 1 },
    { op: 'add', path: '/list/3', value: 1 },
    { op: 'add', path: '/list/01', value: 1 },
    { op: 'move', from: '/list', path: '/list/0' },
    { op: 'remove', path: '/constructor' },
  ];
  for (const operation of doesNotFit) {
    assert.throws(
      () => jsonPatch({ a: 1, list: [1] }, [operation]),
      { reason: 'Invalid' },
      JSON.stringify(operation),
    );
  }
  const noPatch = [
    {},
    [{ op: 'jump', path: '/a' }],
    [{ op: 'add', path: 'a', value: 1 }],
    [{ op: 'add', path: '/a' }],
    [null],
  ];
  for (const patch of noPatch) {
    assert.throws(() => jsonPatch({ a: 1 }, patch), { reason: 'BadRequest' }, JSON.stringify(patch));
  }
});

test('the size of a JSON patch and of what it copies is bounded', () => {
  const many = Array.from({ length: jsonPatchOperationsMax + 1 }, () => ({
    op: 'test',
    path: '',
    value: {},
  }));
  assert.throws(() => jsonPatch({}, many), { reason: 'RequestEntityTooLarge' });
  const doubling = Array.from({ length: Math.ceil(Math.log2(jsonPatchCopiedLengthMax)) + 1 }, () => ({
    op: 'copy',
    from: '/a',
    path: '/a/-',
  }));
  assert.throws(() => jsonPatch({ a: [1] }, doubling), { reason: 'RequestEntityTooLarge' });
});

test('a merge patch does what the table of RFC 7386 says', () => {
  const table: [object, unknown, object][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [before, patch, after] of table) assert.deepEqual(mergePatch(before, patch), after);
  assert.throws(() => mergePatch({}, ['c']), { reason: 'BadRequest' });
});

const web = {
  metadata: { name: 'web', finalizers: ['a/a', 'b/b'] },
  spec: {
    containers: [
      { name: 'web', image: 'web:1', env: [{ name: 'A', value: '1' }] },
      { name: 'log', image: 'log:1' },
    ],
    nodeSelector: { zone: 'a', disk: 'ssd' },
    tolerations: [{ key: 'x' }],
  },
};

test('a strategic merge patch merges containers by name and leaves the others', () => {
  const patched = strategicMergePatch(pod, web, {
    spec: {
      containers: [
        { name: 'web', image: 'web:2' },
        { name: 'new', image: 'new:1' },
      ],
    },
  });
  assert.deepEqual(
    patched.spec?.containers.map(({ name, image }) => `${name}=${image}`),
    ['web=web:2', 'new=new:1', 'log=log:1'],
  );
  assert.deepEqual(patched.spec?.containers[0]?.env, [{ name: 'A', value: '1' }]);
});

// The expectations of this table are what k8s.io/apimachinery v0.32.3 (`strategicpatch`) answers.
test('merged lists are ordered as Kubernetes orders them', () => {
  const named = (text: string) => [...text].map((name) => ({ name, image: 'i' }));
  const table: [string, object, string][] = [
    ['ZY', { containers: named('X') }, 'XZY'],
    ['vx', { containers: named('wv') }, 'wvx'],
    ['ba', { containers: named('bc'), '$setElementOrder/containers': named('bc') }, 'bca'],
    ['bc', { containers: named('a'), '$setElementOrder/containers': named('ac') }, 'abc'],
    ['abc', { '$setElementOrder/containers': named('ca') }, 'bca'],
  ];
  for (const [before, patch, after] of table) {
    const object = { spec: { containers: named(before) } };
    const patched = strategicMergePatch(pod, object, { spec: patch });
    assert.equal(patched.spec?.containers.map(({ name }) => name).join(''), after, JSON.stringify(patch));
  }
});

test('lists without a merge key are replaced, maps are merged, null deletes', () => {
  const patched = strategicMergePatch(pod, web, {
    spec: { tolerations: [{ key: 'y' }], nodeSelector: { disk: null, cpu: 'fast' } },
  });
  assert.deepEqual(patched.spec?.tolerations, [{ key: 'y' }]);
  assert.deepEqual(patched.spec?.nodeSelector, { zone: 'a', cpu: 'fast' });
});

test('$patch deletes an item, replaces a list, or replaces an object', () => {
  const deleted = strategicMergePatch(pod, web, {
    spec: { containers: [{ name: 'log', $patch: 'delete' }] },
  });
  assert.deepEqual(
    deleted.spec?.containers.map(({ name }) => name),
    ['web'],
  );
  const replaced = strategicMergePatch(pod, web, {
    spec: { containers: [{ $patch: 'replace' }, { name: 'only', image: 'x' }] },
  });
  assert.deepEqual(replaced.spec?.containers, [{ name: 'only', image: 'x' }]);
  const object = strategicMergePatch(pod, web, { spec: { nodeSelector: { $patch: 'replace', a: 'b' } } });
  assert.deepEqual(object.spec?.nodeSelector, { a: 'b' });
  assert.throws(() => strategicMergePatch(pod, web, { spec: { $patch: 'explode' } }), {
    reason: 'BadRequest',
  });
});

test('primitive lists merge, and $deleteFromPrimitiveList takes values away', () => {
  const patched = strategicMergePatch(pod, web, {
    metadata: { finalizers: ['c/c', 'b/b'], '$deleteFromPrimitiveList/finalizers': ['a/a'] },
  });
  assert.deepEqual(patched.metadata?.finalizers, ['c/c', 'b/b']);
});

test('$setElementOrder orders what the patch knows and keeps the rest in place', () => {
  const patched = strategicMergePatch(pod, web, {
    spec: {
      '$setElementOrder/containers': [{ name: 'new' }, { name: 'log' }],
      containers: [{ name: 'new', image: 'n' }],
    },
  });
  assert.deepEqual(
    patched.spec?.containers.map(({ name }) => name),
    ['new', 'web', 'log'],
  );
});

test('$retainKeys clears the other members of a union', () => {
  const rolling = {
    metadata: { name: 'web' },
    spec: {
      selector: {},
      template: { spec: { containers: [] } },
      strategy: { type: 'RollingUpdate' as const, rollingUpdate: { maxSurge: 1 } },
    },
  };
  const patched = strategicMergePatch(deployment, rolling, {
    spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
  });
  assert.deepEqual(patched.spec?.strategy, { type: 'Recreate' });
  assert.throws(
    () =>
      strategicMergePatch(deployment, rolling, { spec: { strategy: { $retainKeys: [], type: 'Recreate' } } }),
    { reason: 'BadRequest' },
  );
});

test('service ports merge by their port, and a patch item without the key is refused', () => {
  const before = { metadata: { name: 'a' }, spec: { ports: [{ port: 80, name: 'http' }] } };
  const patched = strategicMergePatch(service, before, { spec: { ports: [{ port: 80, targetPort: 8080 }] } });
  assert.deepEqual(patched.spec?.ports, [{ port: 80, name: 'http', targetPort: 8080 }]);
  assert.throws(() => strategicMergePatch(service, before, { spec: { ports: [{ name: 'x' }] } }), {
    reason: 'BadRequest',
    message: /does not contain declared merge key: port/,
  });
});

test('a patch that is of another JSON type is refused as Go refuses to read it', () => {
  const into = 'map[string]interface {}';
  for (const [patch, type] of [
    ['x', 'string'],
    [1, 'number'],
    [[], 'array'],
    [true, 'bool'],
  ] as const) {
    const why = `json: cannot unmarshal ${type} into Go value of type `;
    const refused = (message: string) => ({ reason: 'BadRequest', message });
    assert.throws(() => strategicMergePatch(pod, web, patch), refused(why + into));
    assert.throws(() => mergePatch({}, patch), refused(`error decoding patch: ${why}${into}`));
    if (type === 'array') continue;
    const operations = `error decoding patch: ${why}[]handlers.jsonPatchOp`;
    assert.throws(() => jsonPatch({}, patch), refused(operations));
  }
  assert.throws(() => mergePatch({}, null), { reason: 'BadRequest', message: 'Invalid JSON Patch' });
  assert.deepEqual(jsonPatch({ a: 1 }, null), { a: 1 });
  assert.deepEqual(strategicMergePatch(pod, web, null), web);
});
