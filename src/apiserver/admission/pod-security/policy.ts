import { isEqualSemantically } from '../../../api/equal.ts';

/** Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
export const levels = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof levels)[number];

export const modes = ['enforce', 'audit', 'warn'] as const;
export type Mode = (typeof modes)[number];

/** A level as a version of Kubernetes defines it: the minor number, or `latest`. */
export interface LevelVersion {
  level: Level;
  version: number | 'latest';
}

export type Policy = Record<Mode, LevelVersion>;

const domain = 'pod-security.kubernetes.io/';
/** This server's own; a label may name a later version, which is then the newest known. */
const privileged: LevelVersion = { level: 'privileged', version: 'latest' };

/** What a namespace's labels ask for. What they say wrong is named in `wrong` and enforced as `restricted`. */
export function policyOf(labels: Record<string, string> = {}): { policy: Policy; wrong: WrongLabel[] } {
  const wrong: WrongLabel[] = [];
  const policy: Policy = { enforce: privileged, audit: privileged, warn: privileged };
  for (const mode of modes) {
    const [levelLabel, versionLabel] = [`${domain}${mode}`, `${domain}${mode}-version`];
    const [level, version] = [labels[levelLabel], labels[versionLabel]];
    if (level === undefined && version === undefined) continue;
    policy[mode] = { ...policy[mode] };
    if (level !== undefined) {
      const known = levels.find((each) => each === level);
      // What cannot be read must not let anything in.
      policy[mode].level = known ?? (mode === 'enforce' ? 'restricted' : 'privileged');
      if (!known) wrong.push({ label: levelLabel, value: level, why: `must be one of ${levels.join(', ')}` });
    }
    if (version !== undefined && version !== 'latest') {
      const minor = /^v1\.(0|[1-9]\d{0,3})$/.exec(version)?.[1];
      if (minor !== undefined) policy[mode].version = Number(minor);
      else wrong.push({ label: versionLabel, value: version, why: 'must be "latest" or "v1.x"' });
    }
  }
  // Who enforces a level and says nothing of warnings is warned of workloads that cannot have their pods.
  if (labels[`${domain}enforce`] !== undefined && labels[`${domain}warn`] === undefined) {
    const hasVersion = labels[`${domain}warn-version`] !== undefined;
    policy.warn = { ...policy.enforce, ...(hasVersion && { version: policy.warn.version }) };
  }
  return { policy, wrong };
}

export interface WrongLabel {
  label: string;
  value: string;
  why: string;
}

/** `restricted:latest`. */
export function textOf({ level, version }: LevelVersion): string {
  return `${level}:${version === 'latest' ? version : `v1.${version}`}`;
}

export function isSameLevel(a: LevelVersion, b: LevelVersion): boolean {
  return isEqualSemantically(a, b);
}
