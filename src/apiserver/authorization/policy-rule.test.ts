import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from '../../api/parts/rbac.ts';
import { allowsPath, allowsResource, describeRules, missingRules } from './policy-rule.ts';

const rule = (resources: string[], more: Partial<PolicyRule> = {}): PolicyRule => ({
  apiGroups: [''],
  resources,
  verbs: ['get'],
  ...more,
});
const asked = (resource: string, more: object = {}) => {
  const [name = '', subresource] = resource.split('/');
  return { group: '', verb: 'get', resource: name, subresource, name: undefined, ...more };
};

test('a rule allows the resources, subresources, groups, verbs and names that it says, and no others', () => {
  const table: [PolicyRule, ReturnType<typeof asked>, boolean][] = [
    [rule(['pods']), asked('pods'), true],
    [rule(['pods']), asked('pods/log'), false],
    [rule(['pods/log']), asked('pods'), false],
    [rule(['pods/log']), asked('pods/log'), true],
    [rule(['*/log']), asked('pods/log'), true],
    [rule(['*/log']), asked('pods'), false],
    [rule(['pods/*']), asked('pods/log'), false],
    [rule(['*']), asked('pods/exec'), true],
    [rule(['pods']), asked('pods', { group: 'apps' }), false],
    [rule(['pods'], { apiGroups: ['*'] }), asked('pods', { group: 'apps' }), true],
    [rule(['pods']), asked('pods', { verb: 'list' }), false],
    [rule(['pods'], { verbs: ['*'] }), asked('pods', { verb: 'anything' }), true],
    [rule(['pods'], { resourceNames: ['a'] }), asked('pods', { name: 'a' }), true],
    [rule(['pods'], { resourceNames: ['a'] }), asked('pods', { name: 'b' }), false],
    [rule(['pods'], { resourceNames: ['a'] }), asked('pods'), false],
    [rule([]), asked('pods'), false],
    [{ verbs: ['*'], nonResourceURLs: ['*'] }, asked('pods'), false],
  ];
  for (const [held, question, expected] of table) {
    assert.equal(allowsResource(held, question), expected, JSON.stringify({ held, question }));
  }
});

test('a path is allowed by its name, or below a star at the end', () => {
  const allows = (url: string, path: string) =>
    allowsPath({ verbs: ['get'], nonResourceURLs: [url] }, { path, verb: 'get' });
  assert.ok(allows('/metrics', '/metrics'));
  assert.ok(allows('/logs/*', '/logs/a/b'));
  assert.ok(allows('*', '/anything'));
  assert.ok(!allows('/metrics', '/metrics/x'));
  assert.ok(!allows('/*/x', '/a/x'));
  assert.ok(!allowsPath(rule(['*']), { path: '/metrics', verb: 'get' }));
});

test('what is wanted is held only as far as rules cover it, permission by permission', () => {
  const held = [
    rule(['pods', '*/status'], { verbs: ['get', 'list'] }),
    rule(['secrets'], { resourceNames: ['a'] }),
  ];
  const missing = (...wanted: PolicyRule[]) => describeRules(missingRules(held, wanted)!);
  assert.deepEqual(missing(rule(['pods'], { verbs: ['get', 'list'] })), []);
  assert.deepEqual(missing(rule(['services/status'])), []);
  assert.deepEqual(missing(rule(['secrets'], { resourceNames: ['a'] })), []);
  assert.deepEqual(missing(rule(['secrets'])), ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}']);
  assert.deepEqual(missing(rule(['pods'], { verbs: ['get', 'create', 'delete'] })), [
    '{APIGroups:[""], Resources:["pods"], Verbs:["create" "delete"]}',
  ]);
  assert.deepEqual(missing(rule(['*'])), ['{APIGroups:[""], Resources:["*"], Verbs:["get"]}']);
  assert.deepEqual(missing({ nonResourceURLs: ['/metrics'], verbs: ['get'] }), [
    '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
  ]);
});

test('a rule of too many permissions is not taken apart', () => {
  const many = Array.from({ length: 400 }, (_, index) => `r${index}`);
  const wanted = [rule(many, { verbs: many, apiGroups: ['a', 'b'] })];
  assert.equal(missingRules([], wanted), undefined);
  assert.deepEqual(missingRules([{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }], wanted), []);
});
