import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonSchema } from '../custom/json-schema.ts';
import { compile, typeOfSchema } from './index.ts';

const text: JsonSchema = { type: 'string' };
const integer: JsonSchema = { type: 'integer' };
const object = (properties: Record<string, JsonSchema>): JsonSchema => ({ type: 'object', properties });
const array = (items: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: 'array', items, ...more });

function costOf(source: string, schema: JsonSchema, self: unknown): number {
  const budget = { remaining: 1_000_000 };
  const program = compile(source, { variables: { self: typeOfSchema(schema, { isRoot: true })! } });
  assert.equal(program.evaluate({ self }, budget), true, source);
  return 1_000_000 - budget.remaining;
}

test('an evaluation costs what it costs in Kubernetes', () => {
  const schema = object({
    listMap: array(object({ k: text, v: text, v2: text }), {
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
    }),
    array: array(integer),
    val: { type: 'object', additionalProperties: integer },
    val1: text,
    obj: object({ field: text, absentField: text }),
    m: { type: 'object', additionalProperties: text },
    any: { 'x-kubernetes-int-or-string': true },
  });
  const self = {
    listMap: [
      { k: 'a1', v: 'b1' },
      { k: 'a2', v: 'b2' },
      { k: 'a3', v: 'b3', v2: 'z' },
    ],
    array: [1, 1, 2, 2, 3, 3, 4, 5],
    val: { b: 1, d: 2 },
    val1: 'Rook takes 👑',
    obj: { field: 'a' },
    m: { k: 'v' },
    any: '25%',
  };
  const expected: Record<string, number> = {
    'has(self.listMap[0].v)': 3,
    "self.listMap.all(m, m.k.startsWith('a'))": 21,
    "self.listMap.all(m, !has(m.v2) || m.v2 == 'z')": 21,
    "self.listMap.exists(m, m.k.endsWith('1'))": 13,
    "self.listMap.exists_one(m, m.k == 'a3')": 15,
    "size(self.listMap.filter(m, m.k == 'a1')) == 1": 27,
    "self.listMap.map(m, m.v).exists(v, v == 'b1')": 55,
    "self.listMap.exists_one(m, has(m.v2) && m.v2 == 'z')": 12,
    "self.listMap.filter(m, has(m.v2) && m.v2 == 'z').map(m, m.v2).size() == 1": 39,
    '2 in self.array': 10,
    'self.array.all(e, e > 0)': 43,
    'size(self.array.filter(e, e%2 == 0)) == 3': 68,
    'self.array.map(e, e * 20).filter(e, e > 50).exists(e, e == 60)': 194,
    'self.val.all(k, self.val[k] > 0)': 17,
    "!('a' in self.val)": 4,
    "self.val1.charAt(3) == 'k'": 4,
    "self.val1.matches('^[^0-9]*$')": 8,
    "self.val1.split(' ') == ['Rook', 'takes', '👑']": 6,
    "self.val1.substring(4, 10).trim() == 'takes'": 6,
    'double(5) < 10.0': 1,
    "optional.of('a').optMap(v, v == 'a').hasValue()": 8,
    "self.obj.?field == optional.of('a')": 5,
    'self.obj.?absentField == optional.none()': 4,
    "self.obj.?field.orValue('v') == 'a'": 4,
    "self.m[?'k'] == optional.of('v')": 5,
    "self.any == '25%' || self.any == 1": 3,
    "self.any == 1 || self.any == '25%'": 6,
    "type(self.any) == int ? self.any == 1 : self.any == '25%'": 7,
  };
  for (const [source, cost] of Object.entries(expected))
    assert.equal(costOf(source, schema, self), cost, source);
});

test('lists of sets and keyed lists compare and add up without order', () => {
  const set = array(text, { 'x-kubernetes-list-type': 'set' });
  const keyed = array(object({ k: text, v: text }), {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
  });
  const schema = object({ a: set, b: set, lists: array(keyed) });
  const self = {
    a: ['a', 'b', 'c'],
    b: ['c', 'a', 'b'],
    lists: [
      [
        { k: '1', v: 'a' },
        { k: '2', v: 'b' },
      ],
      [{ k: '2', v: 'c' }],
      [
        { k: '2', v: 'c' },
        { k: '1', v: 'a' },
      ],
    ],
  };
  for (const source of [
    'self.a == self.b',
    "self.a + ['d', 'a'] == ['d', 'a', 'b', 'c']",
    'self.lists[0] != self.lists[1]',
    'self.lists[0] + self.lists[1] == self.lists[2]',
  ]) {
    costOf(source, schema, self);
  }
});

test('properties are reached by their escaped names, null ones count as absent', () => {
  const schema = object({
    'foo-bar': text,
    namespace: text,
    'a/b.c__d': text,
    gone: { type: 'string', nullable: true },
  });
  costOf(
    "self.foo__dash__bar == '1' && self.__namespace__ == '2' && self.a__slash__b__dot__c__underscores__d == '3' && !has(self.gone)",
    schema,
    {
      'foo-bar': '1',
      namespace: '2',
      'a/b.c__d': '3',
      gone: null,
    },
  );
});

test('errors are placed as cel-go places them', () => {
  const variables = { self: typeOfSchema(object({ foo: text }), { isRoot: true })! };
  const message = (source: string) => {
    try {
      compile(source, { variables });
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.equal(
    message('self.bar > 1'),
    "ERROR: <input>:1:5: undefined field 'bar'\n | self.bar > 1\n | ....^",
  );
  assert.equal(
    message("self.foo + 1 == 'a'"),
    "ERROR: <input>:1:10: found no matching overload for '_+_' applied to '(string, int)'\n | self.foo + 1 == 'a'\n | .........^",
  );
  assert.match(
    message('self.foo >'),
    /^ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' expecting \{'\[', /,
  );
  assert.match(message("self.foo.matches('(')"), /invalid matches argument/);
  assert.match(message("[1, 'a'].size() == 2"), /expected type 'int' but found 'string'/);
});

test('estimates grow with the bounds of the schema', () => {
  const estimate = (schema: JsonSchema, source: string) =>
    compile(source, { variables: { self: typeOfSchema(schema)! } }).estimatedCost.max;
  const nested = (maxItems: number) =>
    object({ list: array({ type: 'string', maxLength: 10 }, { maxItems }) });
  assert.equal(estimate(nested(10), "self.list.all(x, x == 'abc')"), 2 + 1 + 10 * 5);
  assert.ok(estimate(nested(10_000), 'self.list.all(x, self.list.all(y, x == y))') > 10_000_000);
  assert.ok(estimate(object({ list: array(text) }), 'self.list.all(x, self.list.all(y, x == y))') > 1e11);
});

test("Kubernetes' libraries do what its documentation shows", () => {
  const holds = (source: string) =>
    assert.equal(compile(source, { variables: {} }).evaluate({}), true, source);
  for (const source of [
    '[1, 2, 3].isSorted() && [1, 3].sum() == 4 && [1.5, 0.5].min() == 0.5 && [1, 2, 2].lastIndexOf(2) == 2',
    "'abc 123'.find('[0-9]+') == '123' && '123 abc 456'.findAll('[0-9]+') == ['123', '456']",
    "'123 abc 456'.findAll('[0-9]*', 1) == ['123'] && 'abcab'.findAll('a|ab') == ['a', 'a'] && 'xab'.find('a.*?') == 'a'",
    "url('https://example.com:80/a%20b?k=a&k=b').getHost() == 'example.com:80' && url('https://e.com/a?x=1').getQuery() == {'x': ['1']}",
    "isURL('https://example.com/') && !isURL('nothing') && url('/path').getHost() == '' && url('https://[::1]:80/').getHostname() == '::1'",
    "ip('192.168.0.1').family() == 4 && isIP('::1') && !isIP('1.2.3') && ip.isCanonical('2001:db8::abcd') && string(ip('2001:db8:0:0::1')) == '2001:db8::1'",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
    "quantity('1.5Gi').isGreaterThan(quantity('1Gi')) && quantity('50k').asInteger() == 50000 && quantity('1').add(1) == quantity('2')",
    "!format.dns1123Label().validate('ab').hasValue() && format.named('dns1123Label').value().validate('A_').hasValue()",
    'sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])',
    "'%s is %d'.format(['a', dyn(1)]) == 'a is 1' && ['a', 'b'].join('-') == 'a-b' && 'tacocat'.lastIndexOf('a') == 5",
    "[1, 2].transformList(i, v, i + v) == [1, 3] && {'a': 1}.transformMap(k, v, v + 1) == {'a': 2} && [1].all(i, v, i < v)",
    "timestamp('2023-12-25T00:00:00Z') - timestamp('2023-12-24T00:00:00Z') == duration('24h')",
  ]) {
    holds(source);
  }
});

test('an evaluation that costs too much is stopped', () => {
  const program = compile('self.all(x, self.all(y, self.all(z, true)))', {
    variables: { self: { kind: 'list', item: { kind: 'int' } } },
  });
  assert.throws(
    () => program.evaluate({ self: Array.from({ length: 300 }, (_, i) => i) }),
    /actual cost limit exceeded/,
  );
});
