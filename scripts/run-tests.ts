import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const root = dirname(import.meta.dirname);
const patterns = process.argv.slice(2);
const files = globSync(
  ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'examples/**/*.test.ts', 'tests/**/*.test.ts'],
  { cwd: root },
)
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  .sort(endToEndFirst);

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const tests = run({ files, cwd: root, concurrency: 2, timeout: 900_000 });
tests.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  counts[event.skip === undefined ? 'passed' : 'skipped']++;
});
tests.on('test:fail', (event) => {
  if (event.details.type === 'suite') return;
  counts.failed++;
  failures.push(`${event.file ?? ''}: ${event.name}`);
});
tests.compose(new spec()).pipe(process.stdout);
await new Promise((resolve) => tests.once('end', resolve));
await new Promise((resolve) => setImmediate(resolve));
if (files.length === 0) failures.push(`no test file matches ${patterns.join(', ')}`);
for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(failures.length > 0 || counts.passed === 0 ? 1 : 0);

/** The long ones start first, so that two cores end at about the same time. */
function endToEndFirst(a: string, b: string): number {
  const rank = (file: string) => (file.startsWith('tests') ? 0 : 1);
  return rank(a) - rank(b) || a.localeCompare(b);
}
