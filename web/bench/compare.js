// The same network, batches and optimizer in Inkstone (in a worker) and TensorFlow.js (on the page, as its backends are). Each measure
// trains so many images after a warm-up and returns milliseconds.

const BATCH = 32;
const worker = new Worker("compare-worker.js", { type: "module" });
const answer = () => new Promise((resolve, reject) => { worker.onmessage = ({ data }) => resolve(data); worker.onerror = reject; });
window.program = await answer();

const { tf } = window;
/** As its worker draws them: the values do not matter, the work is the same. */
function network() {
  const { layers } = tf, model = tf.sequential();
  model.add(layers.conv2d({ inputShape: [28, 28, 1], filters: 32, kernelSize: 3, activation: "relu" }));
  model.add(layers.maxPooling2d({ poolSize: 2 }));
  model.add(layers.conv2d({ filters: 64, kernelSize: 3, activation: "relu" }));
  model.add(layers.maxPooling2d({ poolSize: 2 }));
  model.add(layers.flatten());
  model.add(layers.dropout({ rate: .5 }));
  model.add(layers.dense({ units: 10, activation: "softmax" }));
  model.compile({ optimizer: tf.train.adam(.001), loss: "categoricalCrossentropy" });
  return model;
}
const rivals = {};
async function rival(backend, images) {
  await tf.setBackend(backend);
  rivals[backend] ??= network();
  const model = rivals[backend];
  const x = tf.randomUniform([BATCH, 28, 28, 1]), y = tf.oneHot(tf.range(0, BATCH, 1, "int32").mod(tf.scalar(10, "int32")), 10);
  await model.trainOnBatch(x, y);
  const start = performance.now();
  for (let done = 0; done < images; done += BATCH) await model.trainOnBatch(x, y);
  // What is queued on a graphics card is done when a weight has been read.
  await model.getWeights()[0].data();
  const time = performance.now() - start;
  tf.dispose([x, y]);
  return time;
}
window.measure = {
  async inkstone(images) { worker.postMessage(images); return await answer(); },
  cpu: images => rival("cpu", images),
  webgl: images => rival("webgl", images),
};
const context = document.createElement("canvas").getContext("webgl2");
const names = context?.getExtension("WEBGL_debug_renderer_info");
window.renderer = names ? context.getParameter(names.UNMASKED_RENDERER_WEBGL) : "nothing";
window.ready = true;
