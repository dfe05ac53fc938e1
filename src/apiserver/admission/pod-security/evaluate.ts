import { baselineChecks } from './baseline.ts';
import type { Check, Checked, Forbidden } from './check.ts';
import type { LevelVersion } from './policy.ts';
import { restrictedChecks } from './restricted.ts';

/** The minor version of Kubernetes whose standards are known here; later ones are taken for it. */
const newestMinor = 32;

const known = new Map<string, Check[]>();

/** What of a pod the level forbids, in the order in which Kubernetes tells it. */
export function evaluate({ level, version }: LevelVersion, pod: Checked): Forbidden[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? newestMinor : Math.min(version, newestMinor);
  const key = `${level}/${minor}`;
  const checks = known.get(key) ?? checksOf(level, minor);
  known.set(key, checks);
  return checks.map((check) => check(pod)).filter((forbidden) => forbidden !== undefined);
}

function checksOf(level: 'baseline' | 'restricted', minor: number): Check[] {
  const baseline = baselineChecks(minor);
  if (level === 'baseline') return baseline.map(([, check]) => check);
  const restricted = restrictedChecks(minor);
  const subject = (id: string) => id.split('_')[0];
  const replaced = new Set(restricted.map(([id]) => subject(id)));
  return [...baseline.filter(([id]) => !replaced.has(subject(id))), ...restricted].map(([, check]) => check);
}

export const details = (forbidden: readonly Forbidden[]) =>
  forbidden.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');

export const reasons = (forbidden: readonly Forbidden[]) => forbidden.map(({ reason }) => reason).join(', ');
