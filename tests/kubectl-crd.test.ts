import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../src/apiserver/test-server.ts';
import { kubectlMinor } from './shell.ts';

/** The CronTab of Kubernetes' documentation, by a real kubectl against a real API server. */

const isMissing = kubectlMinor === 0;
const isCi = process.env.CI === 'true';
const name = 'crontabs.stable.example.com';

let running: TestServer;
let kubeconfig: string;

interface Result {
  code: number;
  out: string;
  err: string;
}

function kubectl(line: string, input = ''): Promise<Result> {
  const args = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: running.dir,
    KUBECONFIG: kubeconfig,
    KUBE_EDITOR: join(running.dir, 'editor.sh'),
  };
  return new Promise((resolve) => {
    const child = execFile('kubectl', args, { env, encoding: 'utf8', timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err });
    });
    child.stdin?.end(input);
  });
}

async function run(line: string, input?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, input);
  assert.equal(code, 0, `kubectl ${line}: ${err}${out}`);
  return out;
}

async function fails(line: string, input?: string): Promise<string> {
  const { code, err } = await kubectl(line, input);
  assert.notEqual(code, 0, `kubectl ${line} succeeded`);
  return err;
}

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.stable.example.com
spec:
  group: stable.example.com
  scope: Namespaced
  names:
    plural: crontabs
    singular: crontab
    kind: CronTab
    shortNames: [ct]
    categories: [all]
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What to run, and when.
            required: [cronSpec]
            properties:
              cronSpec:
                type: string
                description: The schedule.
                pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'
              image: {type: string}
              replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
          status:
            type: object
            properties:
              replicas: {type: integer}
              labelSelector: {type: string}
    subresources:
      status: {}
      scale:
        specReplicasPath: .spec.replicas
        statusReplicasPath: .status.replicas
        labelSelectorPath: .status.labelSelector
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
    selectableFields:
    - jsonPath: .spec.image
`;

const cronTab = (more = '', cronSpec = '* * * * */5') => `
apiVersion: stable.example.com/v1
kind: CronTab
metadata:
  name: my-new-cron-object
spec:
  cronSpec: "${cronSpec}"
  image: my-awesome-cron-image
${more}`;

describe('kubectl and custom resources', {
  skip: isMissing && !isCi ? 'kubectl is not on the PATH' : false,
}, () => {
  before(async () => {
    assert.ok(!isMissing, 'kubectl is not on the PATH');
    running = await startTestServer();
    kubeconfig = running.writeKubeconfig('selvage-admin');
  });
  after(() => running.close());

  test('a definition is established at once, and its kind is known everywhere', async () => {
    assert.equal(
      await run('apply -f -', definition),
      `customresourcedefinition.apiextensions.k8s.io/${name} created\n`,
    );
    assert.equal(
      await run(`wait --for=condition=Established crd/${name} --timeout=60s`),
      `customresourcedefinition.apiextensions.k8s.io/${name} condition met\n`,
    );
    assert.match(
      await run('api-resources --api-group=stable.example.com'),
      /^crontabs +ct +stable\.example\.com\/v1 +true +CronTab$/m,
    );
    assert.match(
      await run('get crd'),
      /^NAME +CREATED AT\ncrontabs\.stable\.example\.com +\d{4}-\d\d-\d\dT[\d:]+Z\n$/,
    );
    assert.match(
      await run('explain crontab.spec'),
      /What to run, and when\.[\s\S]*cronSpec.*<string>.*-required-/,
    );
    assert.match(await run('explain crontab.spec.cronSpec'), /The schedule\./);
    const recursive = await run('explain crontab --recursive');
    for (const field of ['apiVersion', 'metadata', 'replicas', 'labelSelector'])
      assert.ok(recursive.includes(field), field);
  });

  test('objects are pruned, defaulted, shown in their columns and selected by their fields', async () => {
    const unknown = await kubectl('apply --validate=false -f -', cronTab('  someRandomField: 42\n'));
    assert.equal(unknown.out, 'crontab.stable.example.com/my-new-cron-object created\n');
    assert.equal(
      await run("get ct -o jsonpath='{.items[0].spec}'"),
      '{"cronSpec":"* * * * */5","image":"my-awesome-cron-image","replicas":1}',
    );
    assert.equal(
      await run('get ct'),
      'NAME                 SPEC          REPLICAS\nmy-new-cron-object   * * * * */5   1\n',
    );
    assert.equal(
      await run('get crontabs -o wide --no-headers'),
      'my-new-cron-object   * * * * */5   1     my-awesome-cron-image\n',
    );
    assert.equal(
      await run('get ct --field-selector spec.image=my-awesome-cron-image -o name'),
      'crontab.stable.example.com/my-new-cron-object\n',
    );
    assert.equal(await run('get ct --field-selector spec.image=other -o name'), '');
    assert.match(await run('get all'), /crontab\.stable\.example\.com\/my-new-cron-object/);
  });

  test('what the schema does not allow is refused in the words of Kubernetes', async () => {
    const wrong = await fails('apply -f -', cronTab('  replicas: 11\n', '* * * *'));
    assert.equal(
      wrong,
      'The CronTab "my-new-cron-object" is invalid: \n' +
        '* spec.cronSpec: Invalid value: "* * * *": spec.cronSpec in body should match \'^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$\'\n' +
        '* spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10\n',
    );
    assert.equal(
      await fails('patch ct my-new-cron-object --type=merge -p \'{"spec":{"image":5}}\''),
      'The CronTab "my-new-cron-object" is invalid: spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"\n',
    );
    if (kubectlMinor >= 25) {
      assert.match(
        await fails('apply -f -', cronTab('  someRandomField: 42\n')),
        /strict decoding error: unknown field "spec\.someRandomField"\n$/,
      );
      assert.match(
        await fails("patch ct my-new-cron-object --type=strategic -p '{}'"),
        /application\/strategic-merge-patch\+json is not supported by stable\.example\.com\/v1, Kind=CronTab/,
      );
    }
  });

  test('they are scaled, edited and reported on; the generation counts what is wanted', async () => {
    assert.equal(
      await run('scale --replicas=3 ct/my-new-cron-object'),
      'crontab.stable.example.com/my-new-cron-object scaled\n',
    );
    assert.equal(
      await run("get ct my-new-cron-object -o jsonpath='{.spec.replicas} {.metadata.generation}'"),
      '3 2',
    );
    const script = '#!/bin/sh\nsed -i "s/my-awesome-cron-image/my-edited-image/" "$1"\n';
    writeFileSync(join(running.dir, 'editor.sh'), script, { mode: 0o755 });
    assert.equal(
      await run('edit ct my-new-cron-object'),
      'crontab.stable.example.com/my-new-cron-object edited\n',
    );
    assert.equal(
      await run("get ct my-new-cron-object -o jsonpath='{.spec.image} {.metadata.generation}'"),
      'my-edited-image 3',
    );
    if (kubectlMinor < 24) return;
    await run(
      'patch ct my-new-cron-object --subresource=status --type=merge -p \'{"status":{"replicas":2},"spec":{"replicas":9}}\'',
    );
    assert.equal(
      await run(
        "get ct my-new-cron-object -o jsonpath='{.spec.replicas} {.status.replicas} {.metadata.generation}'",
      ),
      '3 2 3',
    );
  });

  test('server-side apply knows who owns which field', async () => {
    const other = cronTab().replace('my-awesome-cron-image', 'image-of-b').replace('my-new', 'applied');
    const mine = other.replace('image-of-b', 'image-of-a');
    await run('apply --server-side --field-manager=a -f -', mine);
    assert.match(
      await fails('apply --server-side --field-manager=b -f -', other),
      /Apply failed with 1 conflict: conflict with "a": \.spec\.image/,
    );
    assert.equal(
      await run('apply --server-side --field-manager=b --force-conflicts -f -', other),
      'crontab.stable.example.com/applied-cron-object serverside-applied\n',
    );
    assert.equal(await run("get ct applied-cron-object -o jsonpath='{.spec.image}'"), 'image-of-b');
  });

  test('a definition that Kubernetes would not take is refused with its words', async () => {
    const untyped = definition.replace('image: {type: string}', 'image: {description: an image}');
    assert.match(
      await fails('create -f -', untyped.replaceAll('crontab', 'other')),
      /\* spec\.versions\[0\]\.schema\.openAPIV3Schema\.properties\[spec\]\.properties\[image\]\.type: Required value: must not be empty for specified object fields\n/,
    );
    assert.match(
      await fails(`patch crd ${name} --type=merge -p '{"spec":{"scope":"Cluster"}}'`),
      /spec\.scope: Invalid value: "Cluster": field is immutable\n$/,
    );
  });

  test('with its definition go the objects, and the kind is forgotten', async () => {
    assert.equal(
      await run(`delete crd ${name}`),
      `customresourcedefinition.apiextensions.k8s.io "${name}" deleted\n`,
    );
    assert.match(
      await fails('get --raw /apis/stable.example.com/v1/crontabs'),
      /the server could not find the requested resource/,
    );
    await run('apply -f -', definition);
    await run(`wait --for=condition=Established crd/${name} --timeout=60s`);
    assert.equal(await run('get ct -A -o name'), '');
  });
});
