import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches, parseSession } from './session.ts';

test('a session is read as commands with what they print', () => {
  const { steps, since } = parseSession(
    '## About\n@since 1.25\n\n$ one\nout\n[exit 1]\n## why\n@before 1.30\n@ours our own\n~ cat <<EOF\n$ no command\nEOF\nlast\n',
  );
  assert.equal(since, 25);
  assert.deepEqual(
    steps.map(({ command, expected, repeats, before, ours }) => ({
      command,
      expected,
      repeats,
      before,
      ours,
    })),
    [
      {
        command: 'one',
        expected: ['out', '[exit 1]'],
        repeats: false,
        before: Number.POSITIVE_INFINITY,
        ours: '',
      },
      {
        command: 'cat <<EOF\n$ no command\nEOF',
        expected: ['last'],
        repeats: true,
        before: 30,
        ours: 'our own',
      },
    ],
  );
  assert.equal(parseSession('@ours needs a network\n\n$ one\n').ours, 'needs a network');
  assert.throws(() => parseSession('$ cat <<EOF\n'), /EOF does not end/);
  assert.throws(() => parseSession('out\n'), /belongs to no command/);
});

test('what is printed has to be what is expected, but for what changes from run to run', () => {
  assert.ok(matches(['NAME  AGE', 'a-<hash>  <age>'], 'NAME      AGE\na-x7k2p   2m3s\n'));
  assert.ok(matches(['a', '...', 'z'], 'a\nb\nc\nz\n'));
  assert.ok(matches([], ''));
  for (const [expected, actual] of [
    [['a'], 'a\nb\n'],
    [['a', 'b'], 'a\n'],
    [['  a'], 'a\n'],
    [['a.c'], 'abc\n'],
    [['<age>'], 'soon\n'],
    [[], 'a\n'],
  ] as const)
    assert.ok(!matches(expected, actual), JSON.stringify([expected, actual]));
});
