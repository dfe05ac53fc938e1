import type { Command } from 'commander';
import { portNumber, wholeNumber } from './option-numbers.ts';

export interface DemoFlags {
  once?: true;
  json?: string;
  data?: string;
  generated?: true;
  epochs: number;
  seconds: number;
  wanDelay: number;
  wanRate: number;
  port: number;
  dataDir?: string;
}

export function defineDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'the main job: a cluster of a cloud and two edge sites, a network trained and served, the gain measured',
    )
    .option('--once', 'end after the report instead of staying up')
    .option('--json <file>', 'write the figures to a file')
    .option(
      '--data <folder>',
      'CIFAR-10 in its binary layout ($SELVAGE_DATA); else a cached or downloaded archive, else generated images',
    )
    .option('--generated', 'train on generated images without looking for CIFAR-10')
    .option('--epochs <n>', 'training epochs', wholeNumber, 10)
    .option('--seconds <n>', 'how long the application runs before it is reported on', wholeNumber, 20)
    .option('--wan-delay <ms>', 'simulated delay to the cloud, each way', wholeNumber, 40)
    .option('--wan-rate <Mbit/s>', 'simulated rate of the link to the cloud', wholeNumber, 20)
    .option('--port <port>', 'of the API server; 0 picks a free one', portNumber, 0)
    .option(
      '--data-dir <folder>',
      'keep the cluster in this folder (default: a temporary one, removed at the end)',
    )
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import('./demo/run.ts');
      await runDemo({ ...flags, data: flags.data ?? process.env.SELVAGE_DATA });
    });
}
