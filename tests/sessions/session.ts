import assert from 'node:assert/strict';

/**
 * A session at a terminal, as text: `$ command`, then what it prints, both streams in one. `~ command` is repeated until it
 * prints that. A last line `[exit 1]` is the exit code where it is not 0. `@since 1.27` and `@before 1.27` before a command
 * say which kubectl it is for; at the top of the file, before an empty line, they hold for all of it. `@ours why` in
 * either place says why Kubernetes itself prints something else. `##` is a comment.
 */
export interface Session {
  steps: Step[];
  since: number;
  before: number;
  /** Why none of it is for Kubernetes itself. */
  ours: string;
}

export interface Step {
  command: string;
  line: number;
  expected: string[];
  /** Asked again until it matches. */
  repeats: boolean;
  since: number;
  before: number;
  /** Why Kubernetes itself prints something else; empty where it does not. */
  ours: string;
}

export function parseSession(text: string): Session {
  const lines = text.split('\n');
  const session: Session = { steps: [], since: 0, before: Number.POSITIVE_INFINITY, ours: '' };
  let range = versionRange();
  let ours = '';
  let step: Step | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (/^[$~] /.test(line)) {
      const heredoc = /<<'?(\w+)'?/.exec(line)?.[1];
      const end = heredoc ? lines.indexOf(heredoc, at) : at;
      assert.ok(end >= at, `line ${at + 1}: ${heredoc} does not end`);
      const command = [line.slice(2), ...lines.slice(at + 1, end + 1)].join('\n');
      step = { command, line: at + 1, expected: [], repeats: line.startsWith('~'), ...range, ours };
      session.steps.push(step);
      range = versionRange();
      ours = '';
      at = end;
    } else if (/^@(since|before) 1\.\d+$/.test(line)) {
      const [bound, version] = line.slice(1).split(' 1.') as ['since' | 'before', string];
      range[bound] = Number(version);
      step = undefined;
    } else if (line.startsWith('@ours ')) {
      ours = line.slice('@ours '.length);
      step = undefined;
    } else if (line.startsWith('## ')) step = undefined;
    else if (step) step.expected.push(line);
    else if (line === '' && session.steps.length === 0) {
      Object.assign(session, range, { ours });
      range = versionRange();
      ours = '';
    } else assert.equal(line, '', `line ${at + 1} belongs to no command: ${line}`);
  }
  for (const { expected } of session.steps) while (expected.at(-1) === '') expected.pop();
  return session;
}

const versionRange = () => ({ since: 0, before: Number.POSITIVE_INFINITY });

/** What differs from run to run, by the name that stands for it in a session. */
const masks: Record<string, string> = {
  age: '(?:\\d+[smhdy])+',
  time: '(?:\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z|\\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d [+-]\\d{4})',
  uid: '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  ip: '\\d+\\.\\d+\\.\\d+\\.\\d+',
  hash: '[a-z0-9]{5,10}',
  hex: '[0-9a-f]+',
  number: '\\d+',
  any: '.*?',
};

/** Whether a command printed what the session says; `...` as a line of its own is any number of lines. */
export function matches(expected: readonly string[], actual: string): boolean {
  const parts = expected.map((line) => (line === '...' ? '(?:.*\n)*?' : `${patternOf(line)}\n`));
  const lines = actual.split('\n').map(columns);
  while (lines.at(-1) === '') lines.pop();
  const text = lines.map((line) => `${line}\n`).join('');
  return new RegExp(`^${parts.join('')}$`).test(text);
}

const patternOf = (line: string): string =>
  columns(line)
    .split(/(<\w+>)/)
    .map((part) => masks[part.slice(1, -1)] ?? RegExp.escape(part))
    .join('');

/** A column is as wide as its longest cell, so widths are not compared; indentation is. */
const columns = (line: string) => line.trimEnd().replace(/(\S) {2,}/g, '$1  ');
