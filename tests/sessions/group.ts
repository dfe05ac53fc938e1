import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { kubectlMinor, type Shell } from '../shell.ts';
import { matches, parseSession, type Session, type Step } from './session.ts';

const folder = import.meta.dirname;
const repeatMs = 60_000;

/** A command that printed something else than its session says. */
export interface Divergence {
  file: string;
  step: Step;
  output: string;
}

/** The session files with one of these in their names, or all. */
export function sessionFiles(names: readonly string[] = ['']): string[] {
  const files = globSync('*.txt', { cwd: folder }).sort();
  return files.filter((file) => names.some((name) => file.includes(name)));
}

export function readSession(file: string): Session {
  const session = parseSession(readFileSync(join(folder, file), 'utf8'));
  if (session.steps.length === 0) throw new Error(`${file} has no commands`);
  return session;
}

/**
 * Runs a file in a folder and a namespace of its own, to its end, and tells all that differs. With Kubernetes itself
 * nobody waits for what only ours prints.
 */
export async function runGroup(shell: Shell, file: string, { isOurs = true } = {}): Promise<Divergence[]> {
  const { steps, ...range } = readSession(file);
  if (!isFor(range)) return [];
  const group = basename(file, '.txt');
  const home = join(shell.home, group);
  mkdirSync(home);
  const inHome = `cd ${home}; export KUBECONFIG=${home}/kubeconfig`;
  await shell.run(
    `${inHome}; cp ~/.kube/config kubeconfig; kubectl create namespace ${group} && ` +
      `until kubectl -n ${group} get serviceaccount default; do sleep 0.1; done && ` +
      `kubectl config set-context --current --namespace=${group}`,
  );
  const divergences: Divergence[] = [];
  for (const step of steps.filter(isFor)) {
    const repeats = step.repeats && (isOurs || step.ours === '');
    const output = await runStep(shell, { ...step, repeats }, inHome);
    if (output !== undefined) divergences.push({ file, step, output });
  }
  return divergences;
}

export const textOf = ({ file, step, output }: Divergence): string =>
  `sessions/${file}:${step.line} $ ${step.command}\n${output}--- expected:\n${step.expected.join('\n')}\n---`;

const isFor = ({ since, before }: { since: number; before: number }) =>
  kubectlMinor >= since && kubectlMinor < before;

/** What it printed, where that is not what is expected. */
async function runStep(shell: Shell, step: Step, prologue: string): Promise<string | undefined> {
  const deadlineMs = Date.now() + repeatMs;
  for (;;) {
    const output = await shell.run(
      `exec 2>&1; ${prologue}\n${step.command}\ncode=$?; [ $code = 0 ] || echo "[exit $code]"`,
    );
    if (matches(step.expected, output)) return undefined;
    if (step.repeats && Date.now() < deadlineMs) continue;
    return output;
  }
}
