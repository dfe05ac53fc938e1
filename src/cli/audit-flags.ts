import { type Command, InvalidArgumentError } from 'commander';
import type { AuditOptions } from '../apiserver/audit/open-audit.ts';
import { wholeNumber } from './option-numbers.ts';

/** kube-apiserver's own flags. */
export interface AuditFlags {
  auditPolicyFile?: string;
  auditLogPath?: string;
  auditLogMaxsize: number;
  auditLogMaxbackup: number;
  auditLogMaxage: number;
}

export function addAuditOptions(command: Command): Command {
  return command
    .option('--audit-policy-file <file>', 'what of which requests is written into the audit log')
    .option('--audit-log-path <file>', 'the audit log; - is standard output')
    .option('--audit-log-maxsize <megabytes>', 'a larger audit log is put aside', wholeNumber, 100)
    .option('--audit-log-maxbackup <files>', 'how many of those are kept; 0 keeps all', wholeNumber, 0)
    .option('--audit-log-maxage <days>', 'how long those are kept; 0 is for ever', wholeNumber, 0);
}

/** Undefined where nothing is to be audited. Throws where only a half was said. */
export function auditOptions(flags: AuditFlags): AuditOptions | undefined {
  const { auditPolicyFile: policyFile, auditLogPath: logPath } = flags;
  if (policyFile === undefined && logPath === undefined) return undefined;
  if (policyFile === undefined) {
    throw new InvalidArgumentError(
      '--audit-log-path needs --audit-policy-file: without a policy nothing is written.',
    );
  }
  if (logPath === undefined) {
    throw new InvalidArgumentError(
      '--audit-policy-file needs --audit-log-path: a file, or - for standard output.',
    );
  }
  return {
    policyFile,
    logPath,
    maxSizeMegabytes: flags.auditLogMaxsize,
    maxBackups: flags.auditLogMaxbackup,
    maxAgeDays: flags.auditLogMaxage,
  };
}
