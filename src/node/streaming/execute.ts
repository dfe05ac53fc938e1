import type { PodRecord } from '../pods/record.ts';
import type { Channels } from './channels.ts';

/** Answers `exec`. An isolate is one Node program: nothing else can run in it, and the client is told what can be done. */
export async function execute(
  channels: Channels,
  request: { record: PodRecord; containerName: string; command: string[] },
): Promise<void> {
  const { record, containerName, command } = request;
  channels.stdin.resume();
  const message =
    `cannot run "${command[0] ?? ''}" in container "${containerName}" of pod "${record.name}": ` +
    'an isolate holds one Node program and no shell; ' +
    `see "kubectl logs ${record.name}", "kubectl describe pod ${record.name}" or "kubectl port-forward ${record.name} PORT"`;
  await channels.finish({ metadata: {}, status: 'Failure', reason: 'InternalError', message, code: 500 });
}
