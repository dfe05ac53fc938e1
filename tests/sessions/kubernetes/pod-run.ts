import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../../src/api/kinds/pod.ts';

type Status = NonNullable<Pod['status']>;
type ContainerStatus = NonNullable<Status['containerStatuses']>[number];
type Container = NonNullable<Pod['spec']>['containers'][number];

export interface RunningPod {
  /** Asks all to end, and ends what is left after the time. */
  end(graceMs: number): Promise<void>;
  kill(): void;
}

const restartMs = 500;
const now = () => new Date().toISOString().replace(/\.\d+/, '');

/** Runs the pod's containers as processes and tells each state that they come to. */
export function startPod(object: Pod, ip: string, write: (status: Status) => Promise<void>): RunningPod {
  const { initContainers = [], containers, restartPolicy } = object.spec!;
  const states = new Map<string, ContainerStatus>();
  const processes = new Set<ChildProcess>();
  const startTime = now();
  let ending = false;
  let written = Promise.resolve();

  for (const { name, image } of [...initContainers, ...containers])
    states.set(name, {
      ...{ name, image, imageID: '', ready: false, started: false, restartCount: 0 },
      state: { waiting: { reason: 'PodInitializing' } },
    } as ContainerStatus);
  const tell = () => {
    const status = statusOf(object, states, { ip, startTime });
    written = written.then(() => write(status));
  };

  async function run(container: Container, isInit: boolean): Promise<number> {
    const status = states.get(container.name)!;
    for (;;) {
      if (!isRunnable(container)) {
        status.state = { waiting: { reason: 'ImagePullBackOff', message: `no image ${container.image}` } };
        tell();
        return new Promise(() => {});
      }
      const startedAt = now();
      Object.assign(status, { ready: !isInit, started: !isInit, state: { running: { startedAt } } });
      tell();
      const exitCode = await runProcess(object, container, processes);
      const reason = exitCode === 0 ? 'Completed' : 'Error';
      const terminated = { exitCode, reason, startedAt, finishedAt: now() };
      Object.assign(status, { ready: isInit && exitCode === 0, started: false, state: { terminated } });
      tell();
      const again =
        restartPolicy === 'Always'
          ? !isInit || exitCode !== 0
          : restartPolicy === 'OnFailure' && exitCode !== 0;
      if (ending || !again) return exitCode;
      await delay(restartMs);
      status.restartCount++;
      status.lastState = { terminated };
    }
  }

  async function runAll(): Promise<void> {
    tell();
    for (const container of initContainers)
      if ((await run(container as Container, true)) !== 0 || ending) return;
    await Promise.all(containers.map((container) => run(container, false)));
  }
  void runAll();

  const kill = (signal: NodeJS.Signals) => {
    ending = true;
    for (const child of processes) child.kill(signal);
  };
  return {
    kill: () => kill('SIGKILL'),
    async end(graceMs) {
      kill('SIGTERM');
      const deadlineMs = Date.now() + graceMs;
      while (processes.size > 0 && Date.now() < deadlineMs) await delay(20);
      kill('SIGKILL');
      await written;
    },
  };
}

const isRunnable = ({ image }: Container) => image?.startsWith('selvage.dev/builtin/') ?? false;

function runProcess(
  object: Pod,
  { command = [], args = [], env = [] }: Container,
  processes: Set<ChildProcess>,
): Promise<number> {
  const words = [...command, ...args];
  const [program, ...rest] = words.length > 0 ? words : ['sleep', 'infinity'];
  const variables = Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [
      name,
      value ?? fieldOf(object, valueFrom?.fieldRef?.fieldPath ?? ''),
    ]),
  );
  const child = spawn(program!, rest as string[], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, ...variables },
    stdio: 'ignore',
  });
  processes.add(child);
  return new Promise((resolve) => {
    const done = (code: number) => {
      processes.delete(child);
      resolve(code);
    };
    child.once('error', () => done(127));
    child.once('exit', (code, signal) => done(code ?? (signal === 'SIGKILL' ? 137 : 143)));
  });
}

/** Such as `metadata.name` or `metadata.labels['app']`. */
function fieldOf({ metadata }: Pod, path: string): string {
  const [, field = '', key] = /^metadata\.(\w+)(?:\['(.+)'\])?$/.exec(path) ?? [];
  const value = (metadata as Record<string, unknown>)[field];
  return String((key ? (value as Record<string, string>)[key] : value) ?? '');
}

function statusOf(
  { spec }: Pod,
  states: ReadonlyMap<string, ContainerStatus>,
  { ip, startTime }: { ip: string; startTime: string },
): Status {
  const of = (containers: readonly { name: string }[] = []) =>
    containers.map(({ name }) => structuredClone(states.get(name)!));
  const [init, main] = [of(spec!.initContainers), of(spec!.containers)];
  const codes = main.map(({ state }) => state?.terminated?.exitCode);
  const goesOn = (code: number) =>
    spec!.restartPolicy === 'Always' || (spec!.restartPolicy === 'OnFailure' && code !== 0);
  const over = codes.every((code) => code !== undefined && !goesOn(code));
  const begun = init.every(({ state }) => state?.terminated?.exitCode === 0);
  const failedInit = init.some(({ state }) => state?.terminated?.exitCode && spec!.restartPolicy === 'Never');
  const pulled = [...init, ...main].every(({ state }) => state?.waiting?.reason !== 'ImagePullBackOff');
  let phase = begun && pulled ? 'Running' : 'Pending';
  if (failedInit) phase = 'Failed';
  if (over) phase = codes.every((code) => code === 0) ? 'Succeeded' : 'Failed';
  const isReady = main.every(({ ready }) => ready);
  const condition = (type: string, holds: boolean, reason?: string) => ({
    ...{ type, status: holds ? 'True' : 'False', lastTransitionTime: startTime },
    ...(!holds && reason && { reason }),
  });
  const why = over && phase === 'Succeeded' ? 'PodCompleted' : over ? 'PodFailed' : 'ContainersNotReady';
  return {
    phase,
    conditions: [
      condition('PodReadyToStartContainers', !over),
      condition('Initialized', begun, 'ContainersNotInitialized'),
      condition('Ready', isReady, why),
      condition('ContainersReady', isReady, why),
      condition('PodScheduled', true),
    ],
    ...{ hostIP: '127.0.0.1', hostIPs: [{ ip: '127.0.0.1' }], podIP: ip, podIPs: [{ ip }], startTime },
    ...(init.length > 0 && { initContainerStatuses: init }),
    containerStatuses: main,
  } as Status;
}
