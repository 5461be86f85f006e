// The program of the page in Node: trains on drawn digits, and fails where it does not learn, or learns otherwise the next time.
//
//     node train.mjs dist

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

const [folder] = process.argv.slice(2);
const { default: init, Classroom } = await import(pathToFileURL(`${folder}/inkstone_web.js`));
await init({ module_or_path: readFileSync(`${folder}/inkstone_web.wasm`) });

const settings = {
  layers: [{ kind: "conv", filters: 8, size: 3 }, { kind: "pool" }, { kind: "conv", filters: 16, size: 3 }, { kind: "pool" }, { kind: "flatten" }],
  optimizer: "adam", rate: .003, batch: 32, augment: false, seed: 7,
};
const text = JSON.stringify(settings);
const lesson = seeded => new Classroom(JSON.stringify({ ...settings, ...seeded }), 4000, 500, 1n);

/** Trains an epoch; what it comes to. */
function learn(classroom) {
  for (;;) {
    const told = JSON.parse(classroom.train(50));
    assert(told.loss > 0 && told.seconds >= 0 && told.examples > 0);
    if (told.ended) return JSON.parse(classroom.examine(500));
  }
}

const classroom = lesson({});
const before = JSON.parse(classroom.examine(500));
assert(before.accuracy < .4, `it knows ${before.accuracy} before it has learned`);
const first = learn(classroom);
assert(first.accuracy > .85, `it has learned ${first.accuracy}`);
assert.equal(first.confusion.reduce((sum, count) => sum + count), 500);
assert.deepEqual(learn(lesson({})), first, "the same seed gives the same bits");
const weights = seed => lesson({ seed }).save();
assert.notDeepEqual(weights(null), weights(null), "without a seed each network begins otherwise");

const filters = JSON.parse(classroom.filters());
assert.deepEqual([filters.count, filters.width, filters.pixels.length], [8, 3, 72]);
const example = JSON.parse(classroom.example(.3)), reading = JSON.parse(classroom.read(new Uint8Array(example.pixels), 28));
assert(Math.abs(reading.probabilities.reduce((sum, part) => sum + part) - 1) < 1e-4);
assert.throws(() => classroom.read(new Uint8Array(28 * 28), 28), /expected a digit/);

const saved = classroom.save(), other = lesson({ seed: 8 });
other.load(saved);
assert.deepEqual(JSON.parse(other.examine(500)), first, "a saved model is the same");
learn(other);
assert(classroom.to_onnx().length > 1000);

const wrong = (change, says) => assert.throws(() => classroom.begin(JSON.stringify({ ...settings, ...change })), says);
wrong({ layers: [{ kind: "pool" }] }, /Dense|Flatten/);
wrong({ layers: [{ kind: "flatten" }, { kind: "conv", filters: 8, size: 3 }] }, /layer/);
wrong({ layers: [{ kind: "conv", filters: 2000, size: 1 }] }, /at most 1024/);
wrong({ layers: [{ kind: "conv", filters: 1e9, size: 3 }] }, /at most 1024/);
wrong({ layers: [{ kind: "flatten" }, ...Array(6).fill({ kind: "dense", units: 1024 })] }, /at most 5,000,000/);
wrong({ layers: [{ kind: "conv", filters: 256, size: 3 }, { kind: "flatten" }, { kind: "dense", units: 1024 }] }, /got 177/);
wrong({ layers: [{ kind: "magic" }] }, /unknown variant `magic`/);
wrong({ layers: Array(17).fill({ kind: "dropout", rate: .1 }) }, /at most 16/);
wrong({ batch: 0 }, /1 to 1024/);
wrong({ rate: -1 }, /rate/);
wrong({ surprise: 1 }, /surprise/);
assert.throws(() => classroom.begin("{"), /settings/);
assert.throws(() => other.load(saved.slice(0, 1000)), /expected|complete/);
assert.throws(() => classroom.use_files(text, new Uint8Array(3), saved, saved, saved), /the pictures of the training set/);
// All that went wrong has changed nothing.
assert.deepEqual(JSON.parse(classroom.examine(500)), first);
console.log(`${(100 * first.accuracy).toFixed(1)} % of drawn digits after one epoch`);
