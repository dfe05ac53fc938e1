export interface Decision {
  label: string;
  index: number;
  /** The softmax probability of `label`, 0 to 1. */
  confidence: number;
}

export interface Model {
  /** `image` is [32, 32, 3] in bytes. */
  classify(image: Uint8Array<ArrayBuffer>): Promise<Decision>;
}

interface Metadata {
  inputs: { name: string; datatype: string; shape: number[] }[];
  outputs: { name: string }[];
  parameters?: { labels?: string[] };
}

/** A client of one model behind the Open Inference Protocol v2, with binary tensors both ways. */
export function createModel(url: string, name: string): Model {
  let metadata: Promise<Metadata> | undefined;
  const describe = async (): Promise<Metadata> => {
    const response = await fetch(`${url}/v2/models/${name}`);
    if (!response.ok)
      throw new Error(`model "${name}" at ${url}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Metadata;
  };
  return {
    async classify(image) {
      metadata ??= describe();
      const { inputs, outputs, parameters } = await metadata.catch((error) => {
        metadata = undefined;
        throw error;
      });
      const logits = await infer(`${url}/v2/models/${name}/infer`, inputs[0]!, outputs[0]!.name, image);
      return decide(logits, parameters?.labels ?? []);
    },
  };
}

async function infer(
  url: string,
  input: { name: string; datatype: string },
  outputName: string,
  image: Uint8Array<ArrayBuffer>,
): Promise<Float32Array> {
  const tensor = input.datatype === 'UINT8' ? image : new Uint8Array(Float32Array.from(image).buffer);
  const head = JSON.stringify({
    inputs: [
      {
        name: input.name,
        shape: [1, 32, 32, 3],
        datatype: input.datatype,
        parameters: { binary_data_size: tensor.length },
      },
    ],
    outputs: [{ name: outputName, parameters: { binary_data: true } }],
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
    },
    body: new Blob([head, tensor]),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  const headLength = Number(response.headers.get('inference-header-content-length'));
  return new Float32Array((await response.arrayBuffer()).slice(headLength));
}

function decide(logits: Float32Array, labels: string[]): Decision {
  const index = logits.indexOf(Math.max(...logits));
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - logits[index]!), 0);
  return { label: labels[index] ?? String(index), index, confidence: 1 / total };
}
