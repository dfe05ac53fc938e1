/** What the demo measured; `--json FILE` writes it as it is. Times in milliseconds, sizes in bytes. */
export interface Figures {
  dataSet: { name: string; isGenerated: boolean; trainCount: number; testCount: number };
  wan: { simulated: true; delayMs: number; bitsPerSecond: number };
  boot: { apiReadyMs: number; firstPodReadyMs: number };
  training: {
    epochs: number;
    seconds: number;
    imagesPerSecond: number;
    testAccuracy: number;
    testLoss: number;
  };
  model: { graphBytes: number; weightsBytes: number };
  /** One request to the model, measured in the `classify` pod of an edge site, edge and cloud in turn. */
  latency: { count: number; edge: Latency; cloud: Latency; ratioP50: number };
  /** Over the run: what the cameras captured, and what crossed the simulated WAN for the application. */
  traffic: {
    seconds: number;
    frames: number;
    capturedBytes: number;
    applicationWanBytes: number;
    controlWanBytes: number;
    share: number;
    uncertainImages: number;
    agreement: number;
  };
  /** What a camera waits for its answer: preprocess, classify, model. */
  frameLatency: { p50: number; p99: number };
  memory: {
    controlPlane: Memory;
    agents: Record<string, Memory>;
    shims: Memory;
    pods: Memory & { count: number };
  };
}

export interface Latency {
  p50: number;
  p99: number;
}

export interface Memory {
  residentBytes: number;
  proportionalBytes: number | undefined;
}
