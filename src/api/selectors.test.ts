import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demandedField, fieldSelector, selectedName } from './field-selector.ts';
import { type Pod, pod } from './kinds/pod.ts';
import { labelSelector, labelSelectorText } from './label-selector.ts';

const labelled = (labels: Record<string, string>) => ({ metadata: { labels } });

test('label selectors match as kubectl users expect', () => {
  const table: [string, Record<string, string>, boolean][] = [
    ['', {}, true],
    ['app=web', { app: 'web' }, true],
    ['app==web', { app: 'db' }, false],
    ['app!=web', {}, true],
    ['app!=web', { app: 'web' }, false],
    ['app', { app: '' }, true],
    ['!app', { app: '' }, false],
    ['!app', {}, true],
    ['app=', { app: '' }, true],
    ['tier in (a, b),app', { tier: 'b', app: 'x' }, true],
    ['tier in (a,b)', {}, false],
    ['tier notin (a,b)', {}, true],
    ['tier notin (a,b)', { tier: 'a' }, false],
    ['cores>2', { cores: '4' }, true],
    ['cores<2', { cores: '4' }, false],
    ['app.kubernetes.io/name=web', { 'app.kubernetes.io/name': 'web' }, true],
  ];
  for (const [text, labels, matches] of table) {
    assert.equal(labelSelector(text)(labelled(labels)), matches, `${text} on ${JSON.stringify(labels)}`);
  }
});

test('a LabelSelector object combines labels and expressions; none at all matches nothing', () => {
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [{ key: 'track', operator: 'NotIn' as const, values: ['canary'] }],
  };
  assert.ok(labelSelector(selector)(labelled({ app: 'web' })));
  assert.ok(!labelSelector(selector)(labelled({ app: 'web', track: 'canary' })));
  assert.ok(labelSelector({})(labelled({})));
  assert.ok(!labelSelector(undefined)(labelled({})));
  assert.equal(labelSelectorText(selector), 'app=web,track notin (canary)');
});

test('a label selector that cannot be parsed is a BadRequest', () => {
  for (const text of ['=', 'a=b=c', 'a in', 'a in (b', 'a b', ',', 'a,', 'a>x', 'UP/ER!/x=1', 'a=-']) {
    assert.throws(() => labelSelector(text), { reason: 'BadRequest' }, text);
  }
});

test('field selectors read only the fields that the kind offers', () => {
  const web = { metadata: { name: 'web', namespace: 'default' }, spec: { containers: [], nodeName: 'n1' } };
  assert.ok(fieldSelector(pod, 'spec.nodeName=n1,metadata.name==web')(web));
  assert.ok(!fieldSelector(pod, 'spec.nodeName!=n1')(web));
  assert.ok(fieldSelector(pod, 'status.phase!=Running')(web));
  assert.throws(() => fieldSelector(pod, 'spec.image=x'), {
    reason: 'BadRequest',
    message: /field label not supported: spec.image/,
  });
  assert.throws(() => fieldSelector(pod, 'spec.nodeName'), { reason: 'BadRequest' });
  assert.equal(selectedName('metadata.name=web,spec.nodeName=n1'), 'web');
  assert.equal(selectedName('metadata.name!=web'), undefined);
});

test('the field and value that a selector demands can be looked up; what it rules out, and names, can not', () => {
  const demanded = (text: string) => {
    const found = demandedField(pod, text);
    return found && [found.value, found.read({ spec: { nodeName: 'n1' } } as Pod)];
  };
  assert.deepEqual(demanded('metadata.name=a,spec.nodeName=n2'), ['n2', 'n1']);
  assert.deepEqual(demanded('spec.nodeName=='), ['', 'n1']);
  for (const text of ['', 'spec.nodeName!=n2', 'metadata.name=a', 'spec.nodeName=a\\,b'])
    assert.equal(demanded(text), undefined, text);
});
