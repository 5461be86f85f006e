// The worker: holds the lesson, and trains as long as nobody says stop. Between slices of training it listens to the page.

import init, { Classroom } from "./inkstone_web.js";

/** How long it trains before it listens again, in milliseconds: two frames' time, and some batches. */
const SLICE = 40;
/** How often the page gets something new to look at. */
const PAUSES = { progress: 100, filters: 400, reading: 150, examination: 1000 };
/** How many test pictures are read in the middle of an epoch, and at its end. */
const SOME = 500, ALL = 10_000;
/** Drawn digits: to learn from, and to be tested on. */
const DRAWN = [20_000, 2_000];

// Modules of a few bytes that only browsers with such instructions take.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const RELAXED = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11];
const takes = bytes => WebAssembly.validate(new Uint8Array(bytes));

let classroom = null, running = false, drawing = null, last = {}, sums = empty();
function empty() { return { examples: 0, seconds: 0, loss: 0, right: 0 }; }

const tell = (type, content = {}) => postMessage({ type, ...content });
const due = (what, now) => now - (last[what] ?? -Infinity) >= PAUSES[what] && (last[what] = now, true);

// A message to itself: the page's own messages come before it, and it does not wait as a timer does.
const channel = new MessageChannel();
let goOn = null;
channel.port1.onmessage = () => goOn();
const breathe = () => new Promise(resolve => { goOn = resolve; channel.port2.postMessage(0); });

async function learn() {
  tell("running", { running: true });
  let failed = false;
  while (running) {
    try {
      step();
    } catch (error) {
      failed = true;
      running = false;
      refuse(error);
    }
    await breathe();
  }
  try {
    examine(ALL);
    read();
  } catch (error) {
    // What has gone wrong before is why it cannot be examined either.
    if (!failed) refuse(error);
  }
  tell("running", { running: false });
}

function step() {
  const progress = JSON.parse(classroom.train(SLICE)), now = performance.now();
  sums.examples += progress.examples;
  sums.seconds += progress.seconds;
  sums.loss += progress.loss * progress.examples;
  sums.right += progress.accuracy * progress.examples;
  if (progress.ended || due("progress", now)) {
    tell("progress", { ...progress, rate: sums.examples / sums.seconds, loss: sums.loss / sums.examples, accuracy: sums.right / sums.examples });
    sums = empty();
  }
  if (progress.ended || due("examination", now)) examine(progress.ended ? ALL : SOME);
  if (due("filters", now)) tell("filters", JSON.parse(classroom.filters()));
  if (drawing && due("reading", now)) read();
}

function examine(count) {
  tell("examination", JSON.parse(classroom.examine(count)));
}

function read() {
  if (!drawing) return tell("reading", { probabilities: null });
  try {
    tell("reading", JSON.parse(classroom.read(drawing.pixels, drawing.width)));
  } catch {
    // What is half drawn may be no digit yet.
    tell("reading", { probabilities: null });
  }
}

/** What the page shows of a network that is new. */
function present() {
  last = {};
  sums = empty();
  tell("network", JSON.parse(classroom.describe()));
  tell("filters", JSON.parse(classroom.filters()));
  examine(SOME);
  read();
}

// What broke the program itself leaves its memory in disorder: then only a new worker helps.
const refuse = error => tell("problem", { text: error.message, broken: error instanceof WebAssembly.RuntimeError });

const tasks = {
  start() { if (!running) { running = true; learn(); } },
  begin(message) { classroom.begin(message.settings); present(); },
  async data({ source, settings: wanted, files }) {
    if (source === "drawn") {
      const fresh = new Classroom(wanted, ...DRAWN, BigInt(1));
      classroom?.free();
      classroom = fresh;
    } else {
      const bytes = files ?? await fetchFiles(source);
      // A link may ask for files before there is a lesson.
      classroom ??= new Classroom(wanted, 100, 100, BigInt(1));
      classroom.use_files(wanted, ...bytes);
    }
    tell("data", { source });
    present();
  },
  load(message) { classroom.load(new Uint8Array(message.bytes)); present(); tell("loaded"); },
  example() { tell("example", JSON.parse(classroom.example(Math.random()))); },
  save() { tell("file", { name: "inkstone-model.safetensors", bytes: classroom.save() }); },
  onnx() { tell("file", { name: "inkstone-model.onnx", bytes: classroom.to_onnx() }); },
};

const NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
/** The four files from beside the page. */
function fetchFiles(folder) {
  return Promise.all(NAMES.map(async name => {
    const response = await fetch(`${folder}/${name}.gz`);
    if (!response.ok) {
      throw new Error(`${folder}/${name}.gz is not beside this page (${response.status}). Download the four files, and drop them here.`);
    }
    return new Uint8Array(await response.arrayBuffer());
  }));
}

async function begin() {
  if (!takes(SIMD)) throw new Error("This browser has no WebAssembly SIMD, which training needs: a newer one does.");
  const program = takes(RELAXED) ? "inkstone_web_relaxed" : "inkstone_web";
  await init({ module_or_path: `${program}.wasm` });
  tell("ready", { program });
}

const ready = begin().catch(error => { refuse(error); throw error; });
// What need not wait while files are being loaded.
const atOnce = {
  stop() { running = false; },
  draw(message) { drawing = message.pixels ? message : null; if (classroom && !(running && drawing)) read(); },
};
// One task after another, as they came.
let queue = ready;
onmessage = ({ data }) => {
  if (atOnce[data.type]) return atOnce[data.type](data);
  queue = queue.then(() => tasks[data.type](data)).catch(refuse);
};
