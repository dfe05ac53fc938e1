import { writeFileSync } from 'node:fs';
import { messageOf } from '../../base/errors.ts';
import { hopelessExitCode } from './places.ts';
import { HopelessError } from './train.ts';

const terminationLog = '/dev/termination-log';

/** Ends a pod of a TrainingJob with what the status of the pod and the job will show; `at` finds what is mounted. A
 * HopelessError is not tried again. */
export function failPod(error: unknown, at: (path: string) => string | undefined): never {
  const message = messageOf(error);
  console.error(message);
  writeFileSync(at(terminationLog) ?? terminationLog, message);
  process.exit(error instanceof HopelessError ? hopelessExitCode : 1);
}
