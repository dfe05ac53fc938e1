import { createRequire } from 'node:module';
import type { RE2JS } from '@bufbuild/re2';

/** How many compiled patterns are kept. */
export const patternsKeptMax = 1_000;

const compiled = new Map<string, RE2JS>();
// Few definitions have patterns, and validation cannot wait for an import.
const load = createRequire(import.meta.url);

/** A pattern in RE2's syntax, which Kubernetes uses: no input takes more than linear time. Throws for what RE2 refuses. */
export function compilePattern(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known) return known;
  const { RE2JS: Re2 } = load('@bufbuild/re2') as typeof import('@bufbuild/re2');
  const made = Re2.compile(pattern);
  compiled.set(pattern, made);
  if (compiled.size > patternsKeptMax) compiled.delete(compiled.keys().next().value!);
  return made;
}
