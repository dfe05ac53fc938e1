import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import { Audit } from './audit.ts';
import { LogFile } from './log-file.ts';
import { readPolicy } from './policy.ts';

/** As kube-apiserver's flags `--audit-…` name them. */
export interface AuditOptions {
  policyFile: string;
  logPath: string;
  maxSizeMegabytes: number;
  maxBackups: number;
  maxAgeDays: number;
}

/** Reads the policy and opens the log; rejects with what is wrong with either. `close` writes what waits. */
export async function openAudit(
  options: AuditOptions,
  { clock, log, metrics }: { clock: Clock; log: Log; metrics: Metrics },
): Promise<{ audit: Audit; close: () => Promise<void> }> {
  const policy = await readPolicy(options.policyFile);
  const { logPath: path, maxSizeMegabytes, maxBackups, maxAgeDays } = options;
  let file: LogFile;
  try {
    file = new LogFile({ path, maxSizeMegabytes, maxBackups, maxAgeDays, nowMs: () => clock.nowMs(), log });
  } catch (error) {
    throw new Error(`the audit log ${path} cannot be opened: ${messageOf(error)}`);
  }
  let events = 0;
  const written = metrics.counter('apiserver_audit_event_total', 'Audit events that were made.');
  const failed = metrics.counter('apiserver_audit_error_total', 'Audit events that were lost.');
  metrics.beforeExposing(() => {
    written.setTotal(events);
    failed.setTotal(file.lost, { plugin: 'log' });
  });
  const sink = (line: string) => {
    events += 1;
    return file.add(line);
  };
  return { audit: new Audit({ policy, clock, sink }), close: () => file.close() };
}
