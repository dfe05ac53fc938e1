import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseLogLine } from '../kubelet/log-lines.ts';
import type { ContainerSpec, ContainerState } from '../runtimes/runtime.ts';
import { logPath, type StartSources } from './container-start.ts';
import type { Container, PodRecord } from './record.ts';

/** Kubernetes' bounds: of the file, and of what is taken from the log. */
const messageBytesMax = 4096;
const logBytesMax = 2048;
const logLinesMax = 80;

/** Makes the file that a container may write its last words to, and mounts it at `terminationMessagePath`. */
export function makeTerminationFile(
  record: PodRecord,
  container: Container,
  sources: Pick<StartSources, 'podDir'>,
): ContainerSpec['mounts'][number] {
  const hostPath = fileOf(record, container, sources);
  mkdirSync(dirname(hostPath), { recursive: true });
  writeFileSync(hostPath, '', { mode: 0o666 });
  return { mountPath: container.terminationMessagePath || '/dev/termination-log', hostPath, readOnly: false };
}

/** A container that ended, with the message that its policy asks for instead of what the runtime saw of its output. */
export function withTerminationMessage(
  state: ContainerState,
  of: { record: PodRecord; spec: Container; sources: Pick<StartSources, 'podDir' | 'logDir'> },
): ContainerState {
  const { reason } = state;
  if (state.phase !== 'exited' || (reason !== 'Error' && reason !== 'Completed')) return state;
  const { record, spec, sources } = of;
  const written = head(fileOf(record, spec, sources), messageBytesMax);
  const isLogWanted = spec.terminationMessagePolicy === 'FallbackToLogsOnError' && state.exitCode !== 0;
  const message = written || (isLogWanted ? logTail(logPath(sources, record, spec)) : '');
  const { message: _, ...rest } = state;
  return message === '' ? rest : { ...rest, message };
}

function fileOf(record: PodRecord, { name }: Container, { podDir }: Pick<StartSources, 'podDir'>): string {
  const { restartCount } = record.containers[name]!;
  return join(podDir(record.uid), 'containers', name, `${restartCount}.termination-log`);
}

function head(path: string, bytesMax: number): string {
  return read(path, () => ({ position: 0, length: bytesMax }));
}

function logTail(path: string): string {
  // A line in the log is longer than what it says, by its time and stream.
  const length = 3 * logBytesMax;
  const text = read(path, (size) => ({ position: Math.max(0, size - length), length }));
  const lines = text.split('\n').flatMap((line) => {
    const entry = parseLogLine(Buffer.from(line));
    return entry ? [`${entry.text}\n`] : [];
  });
  return lines.slice(-logLinesMax).join('').slice(-logBytesMax);
}

/** A part of a file; empty if it can't be read, as that of a container that never started. */
function read(path: string, partOf: (size: number) => { position: number; length: number }): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { position, length } = partOf(fstatSync(file).size);
    const buffer = Buffer.alloc(length);
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, length, position));
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
