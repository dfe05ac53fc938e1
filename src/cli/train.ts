import type { Command } from 'commander';
import { dataDir, dataDirHelp } from './data-dir.ts';
import { wholeNumber } from './option-numbers.ts';
import { formatBytes } from './terminal/units.ts';

interface TrainFlags {
  data?: string;
  generated?: true;
  epochs: number;
  batchSize: number;
  seed: number;
  tag: string;
  dataDir?: string;
}

export function defineTrain(program: Command): void {
  program
    .command('train')
    .description(
      "train the CIFAR-10 tutorial's network and keep it as a model artifact: graph f and weights θ",
    )
    .option(
      '--data <folder>',
      'CIFAR-10 in its binary layout ($SELVAGE_DATA); else a cached or downloaded archive, else generated images',
    )
    .option('--generated', 'train on generated images without looking for CIFAR-10')
    .option('--epochs <n>', 'training epochs', wholeNumber, 10)
    .option('--batch-size <n>', 'images a step', wholeNumber, 32)
    .option('--seed <n>', 'fixes initial weights and shuffling', wholeNumber, 0)
    .option('-t, --tag <name:tag>', 'name of the artifact', 'models/cifar10:v1')
    .option('--data-dir <folder>', dataDirHelp)
    .addHelpText(
      'after',
      '\nServe it with an InferenceService whose storageUri is oci://NAME:TAG; see examples/vision/model.yaml.',
    )
    .action(train);
}

async function train(flags: TrainFlags): Promise<void> {
  const { loadImages } = await import('./training/images.ts');
  const { trainNetwork } = await import('./training/train-network.ts');
  const { packModel } = await import('../oci/artifact.ts');
  const { ContentStore } = await import('../oci/content-store.ts');
  const say = (text: string) => process.stderr.write(`${text}\n`);
  // First: a folder that can't be written to shows before the training, not after it.
  const store = await ContentStore.open(dataDir(flags.dataDir).registry);
  const folder = flags.data ?? process.env.SELVAGE_DATA;
  const images = await loadImages({ folder, generated: flags.generated ?? false, note: say });
  say(images.isGenerated ? 'training on GENERATED images, not on CIFAR-10' : `training on ${images.source}`);
  const trained = await trainNetwork(images, {
    epochs: flags.epochs,
    batchSize: flags.batchSize,
    seed: flags.seed,
  });
  const { graph, weights, metadata } = trained.exported;
  const { digest } = await packModel({
    store,
    reference: flags.tag,
    graph,
    weights,
    config: { ...metadata },
  });
  process.stdout.write(
    `test accuracy ${trained.testAccuracy.toFixed(4)}, loss ${trained.testLoss.toFixed(4)}\n` +
      `${flags.tag} ${digest} graph ${formatBytes(graph.length)}, weights ${formatBytes(weights.length)}\n`,
  );
}
