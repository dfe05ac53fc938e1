import type { Command } from 'commander';
import { type AuditFlags, addAuditOptions } from './audit-flags.ts';
import { dataDir, dataDirHelp } from './data-dir.ts';
import { allowAddonsOption, allowHostPathOption, allowLocalEgressOption } from './grants-allowed.ts';
import { nodeName } from './node-options.ts';
import { portNumber, positiveNumber, wholeNumber } from './option-numbers.ts';

export interface UpFlags extends AuditFlags {
  host: string;
  port: number;
  node: boolean;
  name: string;
  tlsName: string[];
  address?: string;
  kubeconfig: boolean | string;
  keepPods?: true;
  allowAddons?: true;
  allowLocalEgress?: true;
  allowHostPath: string[];
  evictAfter: number;
  horizontalPodAutoscalerSyncPeriod: number;
  clusterCidr: string;
  nodeCidrMaskSize: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  dataDir?: string;
}

export function defineUp(program: Command): void {
  const up = program
    .command('up')
    .description('start a control plane and one node, in one process, and make it the cluster of kubectl')
    .option('--host <address>', 'address to listen on; 0.0.0.0 lets other machines join', '127.0.0.1')
    .option('--port <port>', 'of the API server; 0 picks a free one', portNumber, 6443)
    .option('--address <address>', 'address that other machines reach this one by (default: that of --host)')
    .option('--no-node', 'control plane only')
    .option('--name <name>', "the node's name", nodeName, 'local')
    .option(
      '--tls-name <name>',
      'a further name or address of this machine, for the certificate',
      (value, all: string[]) => [...all, value],
      [],
    )
    .option(
      '--kubeconfig <file>',
      'kubeconfig to add the context "selvage" to (default: $KUBECONFIG, else ~/.kube/config)',
    )
    .option('--no-kubeconfig', 'write only the one in the data folder')
    .option('--keep-pods', 'leave the pods running when this process ends; the next start takes them over')
    .option(...allowAddonsOption)
    .option(...allowLocalEgressOption)
    .option(...allowHostPathOption)
    .option(
      '--evict-after <seconds>',
      'how long a node may be silent before its pods are started elsewhere',
      wholeNumber,
      300,
    )
    .option(
      '--horizontal-pod-autoscaler-sync-period <seconds>',
      'how often autoscalers look at what pods use',
      positiveNumber,
      15,
    )
    .option('--cluster-cidr <network>', "the pods' addresses, shared out among the nodes", '10.42.0.0/16')
    .option(
      '--node-cidr-mask-size <bits>',
      'how much of it a node gets; 24 is for 256 nodes',
      wholeNumber,
      24,
    )
    .option('--log-level <level>', 'debug, info, warn or error', 'warn')
    .option('--data-dir <folder>', dataDirHelp);
  addAuditOptions(up)
    .addHelpText(
      'after',
      '\nCtrl-C ends the node and its pods in order. After a crash or kill -9 pods go on, and the next start takes them over.',
    )
    .action(async (flags: UpFlags) => {
      const { runUp } = await import('./run-up.ts');
      await runUp(flags, dataDir(flags.dataDir));
    });
}
