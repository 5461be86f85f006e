// Inkstone's side: trains as many images as it is told, and answers with milliseconds.

import init, { Classroom } from "../dist/inkstone_web.js";

const RELAXED = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11];
const relaxed = WebAssembly.validate(new Uint8Array(RELAXED));
await init({ module_or_path: `../dist/${relaxed ? "inkstone_web_relaxed" : "inkstone_web"}.wasm` });
const layers = [{ kind: "conv", filters: 32, size: 3 }, { kind: "pool" }, { kind: "conv", filters: 64, size: 3 }, { kind: "pool" }, { kind: "flatten" }, { kind: "dropout", rate: .5 }];
const settings = JSON.stringify({ layers, optimizer: "adam", rate: .001, batch: 32, augment: false, seed: 1 });
const classroom = new Classroom(settings, 60_000, 100, 1n);
classroom.train(0);
onmessage = ({ data: images }) => {
  const start = performance.now();
  for (let done = 0; done < images;) done += JSON.parse(classroom.train(0)).examples;
  postMessage(performance.now() - start);
};
postMessage(relaxed ? "relaxed" : "simd128");
