import { type Clock, sleep } from '../../base/clock.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { sendProbe } from './probe-request.ts';
import { type Container, containerId, type PodRecord } from './record.ts';
import { runInContainer } from './run-in-container.ts';

/** What a container's `lifecycle` asks for after its start or before its end. */
export type Hook = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

/** Runs a hook for at most `seconds`; resolves to what went wrong, if anything. */
export async function runHook(
  container: Container,
  hook: Hook,
  {
    record,
    runtime,
    clock,
    signal,
    seconds,
  }: {
    record: PodRecord;
    runtime: Runtime | undefined;
    clock: Clock;
    /** Ends a hook that sleeps. */
    signal: AbortSignal;
    seconds: number;
  },
): Promise<string | undefined> {
  if (hook.sleep) {
    await sleep(clock, Math.min(Number(hook.sleep.seconds), seconds) * 1000, signal);
    return undefined;
  }
  if (!runtime) return 'the runtime is not connected';
  const id = containerId(record.uid, container.name, record.containers[container.name]!.restartCount);
  const { httpGet, exec } = hook;
  if (!httpGet && !exec) return 'a hook runs a command, asks over HTTP or sleeps';
  const result = await sendProbe(
    { httpGet, exec },
    {
      podIP: record.ip ?? '',
      container,
      dial: runtime.dial.bind(runtime),
      run: (command, timeoutMs) => runInContainer(runtime, { id, command, timeoutMs }),
      timeoutMs: seconds * 1000,
    },
  );
  return result.isSuccess ? undefined : result.message;
}
