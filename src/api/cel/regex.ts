import type { RE2JS } from '@bufbuild/re2';
import { compilePattern as compileRe2 } from '../custom/re2.ts';
import { CelError } from './source.ts';

/** A regular expression of RE2, whose time grows with the text only, as Kubernetes' rules mean it. */
export interface Pattern {
  test(text: string): boolean;
  /** Each match, leftmost first; at most `limit`. */
  findAll(text: string, limit: number): string[];
}

/** Throws CelError where `source` is no pattern of RE2. */
export function pattern(source: string): Pattern {
  let compiled: RE2JS;
  try {
    compiled = compileRe2(source);
  } catch (error) {
    throw new CelError((error as Error).message);
  }
  return {
    test: (text) => compiled.test(text),
    findAll: (text, limit) => findAll(compiled.re2().prog, text, limit),
  };
}

export function isPattern(source: string): boolean {
  try {
    pattern(source);
    return true;
  } catch {
    return false;
  }
}

type Program = ReturnType<RE2JS['re2']>['prog'];

// RE2's instructions; the library says whether there is a match, not where.
const ops = {
  ALT: 1,
  ALT_MATCH: 2,
  CAPTURE: 3,
  EMPTY_WIDTH: 4,
  FAIL: 5,
  MATCH: 6,
  NOP: 7,
  RUNE: 8,
  RUNE1: 9,
  RUNE_ANY: 10,
  RUNE_ANY_NOT_NL: 11,
};

function findAll(program: Program, text: string, limit: number): string[] {
  const runes = [...text];
  const found: string[] = [];
  let at = 0;
  let previousEnd = -1;
  while (at <= runes.length && found.length < limit) {
    const match = findFrom(program, runes, at);
    if (!match) break;
    const [start, end] = match;
    // As in Go, an empty match right after a match does not count.
    if (end > start || start !== previousEnd) found.push(runes.slice(start, end).join(''));
    previousEnd = end;
    at = end > start ? end : end + 1;
  }
  return found;
}

interface Thread {
  readonly at: number;
  readonly start: number;
}

/** A Pike machine: all threads step together, earlier ones have priority. */
function findFrom(program: Program, runes: string[], from: number): [number, number] | undefined {
  let threads: Thread[] = [];
  let match: [number, number] | undefined;
  for (let position = from; position <= runes.length; position++) {
    const added = new Set<number>();
    const ready: Thread[] = [];
    const context = contextAt(runes, position);
    for (const thread of threads) follow(program, thread, context, added, ready);
    if (!match) follow(program, { at: program.start, start: position }, context, added, ready);
    threads = [];
    const rune = runes[position]?.codePointAt(0);
    for (const thread of ready) {
      const inst = program.inst[thread.at]!;
      if (inst.op === ops.MATCH) {
        match = [thread.start, position];
        break;
      }
      if (rune !== undefined && consumes(inst, rune)) threads.push({ at: inst.out, start: thread.start });
    }
    if (threads.length === 0 && match) break;
  }
  return match;
}

function consumes(inst: Program['inst'][number], rune: number): boolean {
  if (inst.op === ops.RUNE_ANY) return true;
  if (inst.op === ops.RUNE_ANY_NOT_NL) return rune !== 10;
  return inst.matchRune(rune);
}

/** Follows what takes no character; `ready` gets the instructions that do, in order of priority. */
function follow(program: Program, first: Thread, context: number, added: Set<number>, ready: Thread[]): void {
  const stack = [first.at];
  while (stack.length > 0) {
    const at = stack.pop()!;
    if (added.has(at)) continue;
    added.add(at);
    const inst = program.inst[at]!;
    if (inst.op === ops.ALT || inst.op === ops.ALT_MATCH) stack.push(inst.arg, inst.out);
    else if (inst.op === ops.CAPTURE || inst.op === ops.NOP) stack.push(inst.out);
    else if (inst.op === ops.EMPTY_WIDTH) {
      if ((inst.arg & ~context) === 0) stack.push(inst.out);
    } else if (inst.op !== ops.FAIL) ready.push({ at, start: first.start });
  }
}

/** RE2's flags of what holds between two characters: line and text ends, word boundaries. */
function contextAt(runes: string[], position: number): number {
  const before = runes[position - 1];
  const after = runes[position];
  let context = 0;
  if (before === undefined) context |= 0x05;
  else if (before === '\n') context |= 0x01;
  if (after === undefined) context |= 0x0a;
  else if (after === '\n') context |= 0x02;
  return context | (isWord(before) !== isWord(after) ? 0x10 : 0x20);
}

const isWord = (rune: string | undefined) => rune !== undefined && /^[A-Za-z0-9_]$/.test(rune);
