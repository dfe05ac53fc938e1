/** One thing that is wrong with an expression. */
export interface CelIssue {
  /** Where, in UTF-16 units from the start. */
  readonly offset: number;
  readonly message: string;
}

/** An expression that cannot be used: a syntax or type error. The message has cel-go's form, caret included. */
export class CelCompileError extends Error {
  readonly issues: readonly CelIssue[];

  constructor(source: string, issues: readonly CelIssue[]) {
    super(formatIssues(source, issues));
    this.name = 'CelCompileError';
    this.issues = issues;
  }
}

/** An expression that failed while it ran; cel-go's words, such as `no such key: foo`. */
export class CelError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CelError';
  }
}

/** How many issues are shown; cel-go stops there too. */
const issuesMax = 100;

function formatIssues(source: string, issues: readonly CelIssue[]): string {
  const sorted = [...issues].sort((a, b) => a.offset - b.offset);
  const shown = sorted.slice(0, issuesMax).map((issue) => formatIssue(source, issue));
  if (sorted.length > issuesMax) shown.push(`${sorted.length - issuesMax} more errors were truncated`);
  return shown.join('\n');
}

function formatIssue(source: string, { offset, message }: CelIssue): string {
  if (offset < 0) return `ERROR: <input>:-1:0: ${message}`;
  const lineStart = source.lastIndexOf('\n', offset - 1) + 1;
  const lineEnd = source.indexOf('\n', offset);
  const line = source.slice(lineStart, lineEnd < 0 ? undefined : lineEnd).replaceAll('\t', ' ');
  const number = source.slice(0, lineStart).split('\n').length;
  const before = [...source.slice(lineStart, offset)];
  return `ERROR: <input>:${number}:${before.length + 1}: ${message}\n | ${line}\n | ${before.map(dotFor).join('')}^`;
}

// cel-go keeps its carets in place under wide characters.
const dotFor = (character: string) => ((character.codePointAt(0) ?? 0) < 128 ? '.' : '．');
