import { Command } from 'commander';
import { messageOf } from '../base/errors.ts';
import { defineAgent } from './agent.ts';
import { defineBuild } from './build.ts';
import { defineDemo } from './demo.ts';
import { definePush } from './push.ts';
import { defineTrain } from './train.ts';
import { defineUp } from './up.ts';
import { defineVersion } from './version.ts';

const program = new Command('selvage')
  .description(
    "The cloud-native edge in one install: Kubernetes' API, isolated workloads, a service mesh and machine learning.",
  )
  .showHelpAfterError('(see selvage --help)')
  .addHelpText(
    'after',
    `
A first walk, with a real kubectl:
  selvage up &
  selvage build examples/my-app -t my-app:1.0.0
  kubectl create deployment my-app --image=my-app:1.0.0
  kubectl expose deployment my-app --type=LoadBalancer --port=80
  kubectl get services

Everything Selvage keeps lies in one folder: --data-dir, else $SELVAGE_HOME, else ~/.selvage.`,
  );

program.command('compile', { hidden: true }).action(compile);
for (const define of [defineUp, defineDemo, defineBuild, defineTrain, definePush, defineAgent, defineVersion])
  define(program);
for (const command of program.commands) command.showHelpAfterError(`(see selvage ${command.name()} --help)`);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(
    `selvage: ${process.env.SELVAGE_DEBUG && error instanceof Error ? error.stack : messageOf(error)}\n`,
  );
  process.exitCode = 1;
}

/** Loads what the commands load lazily, for the compile cache: one module that is not there costs a process 18 MB. */
async function compile(): Promise<void> {
  await Promise.all([
    import('./run-up.ts'),
    import('./run-agent.ts'),
    import('./demo/run.ts'),
    import('../node/agent.ts'),
    import('../node/runtimes/shim/client.ts'),
    import('../node/runtimes/shim/remote-process.ts'),
    import('../node/runtimes/shim/dial-pod.ts'),
    import('../node/images/collect-images.ts'),
    import('../node/images/registry-fetch.ts'),
    import('../node/streaming/serve-upgrade.ts'),
    import('../oci/content-store.ts'),
    import('../oci/pull.ts'),
    import('../oci/unpack.ts'),
    import('../oci/model-digests.ts'),
    import('../apiserver/http/http2.ts'),
    import('../apiserver/protobuf/decode-body.ts'),
    import('../apiserver/audit/open-audit.ts'),
    import('../apiserver/proxy/proxy.ts'),
    import('../apiserver/proxy/forward.ts'),
    import('../apiserver/aggregation/pass-on.ts'),
    import('../api/openapi/v2.ts'),
    import('../api/openapi/v3.ts'),
    import('../api/openapi/v3-discovery.ts'),
    import('../api/openapi/gnostic.ts'),
    import('../api/cel/index.ts'),
  ]);
  const { flushCompileCache } = await import('node:module');
  flushCompileCache();
}
