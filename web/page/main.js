// The page: what people do goes to the worker, and what the worker tells is shown.

import { $, make, namesOf, percent, say } from "./page.js";
import { addTest, addTraining, clearCharts } from "./charts.js";
import { clear, put, whenDrawn } from "./paper.js";
import { recognise } from "./files.js";
import { backToStandard, link, readLink, settings, showData, source, whenChosen } from "./settings.js";
import { showConfusion, showFilters, showMistakes, showReading } from "./shown.js";

let worker, current = "drawn", running = false, network = null, pictures = 0, mistakes = null, spoken = "", names = namesOf("drawn");

const ask = (type, content = {}) => worker.postMessage({ type, ...content });
const tell = text => { $("status").textContent = text; };

function hire() {
  worker?.terminate();
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => heard[data.type](data);
  worker.onerror = event => say(event.message || "The program of this page could not be loaded. Reload the page.");
}

const heard = {
  ready({ program }) {
    document.documentElement.dataset.program = program;
    tell("Drawing digits to learn from…");
  },
  data({ source: now }) {
    current = now;
    names = namesOf(now);
    showData(now);
  },
  network(told) {
    network = told;
    pictures = 0;
    for (const id of ["run", "reset", "save", "onnx"]) $(id).disabled = false;
    $("summary").textContent = told.summary;
    $("epoch").textContent = "1";
    $("pictures").textContent = "0";
    $("speed").textContent = "–";
    $("epoch-bar").value = 0;
    clearCharts();
    if (!running) $("run").textContent = "Start learning";
    if (!running) tell(`${told.weights.toLocaleString("en")} weights, and all of them noise: it guesses. ${told.train.toLocaleString("en")} examples are ready.`);
  },
  loaded() {
    tell("The model has been read. It can go on learning.");
  },
  running({ running: now }) {
    running = now;
    $("run").textContent = now ? "Stop" : pictures ? "Go on" : "Start learning";
    tell(now ? "It is learning." : pictures ? "It has stopped, and keeps what it has learned." : "");
  },
  progress(told) {
    pictures = told.epoch * told.of + told.done;
    $("epoch").textContent = String(told.epoch + (told.ended ? 0 : 1));
    $("pictures").textContent = pictures.toLocaleString("en");
    $("speed").textContent = Math.round(told.rate).toLocaleString("en");
    $("epoch-bar").value = told.ended ? 1 : told.done / told.of;
    addTraining(pictures, told.accuracy, told.loss);
    if (told.ended) tell(`Epoch ${told.epoch} is done: it has seen every picture ${told.epoch === 1 ? "once" : `${told.epoch} times`}.`);
  },
  examination(told) {
    $("accuracy").textContent = percent(told.accuracy);
    addTest(pictures, told.accuracy, told.loss);
    showConfusion(told, names);
    mistakes = told;
    showMistakes(told, names);
  },
  filters: showFilters,
  reading(told) {
    const now = showReading(told, names);
    if (now && now !== spoken) $("spoken").textContent = `It reads ${now}.`;
    spoken = now;
  },
  file({ name, bytes }) {
    const address = URL.createObjectURL(new Blob([bytes]));
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  },
  problem({ text, broken }) {
    say(text);
    tell("");
    if (!broken && network) return showData(current);
    if (!broken && location.hash) {
      // The settings of a link that do not fit.
      backToStandard();
      return useData();
    }
    if (broken && network) {
      say(`${text}\nThe program stopped there, and is begun anew.`);
      network = null;
      pictures = 0;
      heard.running({ running: false });
      backToStandard();
      hire();
      clear();
      useData();
    }
  },
};

function useData(files) {
  ask("data", { source: files ? "files" : source(), settings: settings(), files });
}

$("run").addEventListener("click", () => ask(running ? "stop" : "start"));
$("reset").addEventListener("click", () => { say(""); ask("begin", { settings: settings() }); });
$("save").addEventListener("click", () => ask("save"));
$("onnx").addEventListener("click", () => ask("onnx"));
$("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(link());
    tell("The link has been copied.");
  } catch {
    tell("The link is in the address bar.");
  }
});
whenDrawn(drawing => ask("draw", drawing ?? { pixels: null }));
whenChosen(what => {
  say("");
  if (what === "network") return ask("begin", { settings: settings() });
  tell("Reading pictures…");
  useData();
});

// A picture of the test set, for those who cannot draw here.
$("example").addEventListener("click", () => ask("example"));
heard.example = ({ pixels, width, height }) => {
  const canvas = new OffscreenCanvas(width, height), picture = new ImageData(width, height);
  pixels.forEach((grey, dot) => picture.data.set([255 - grey, 255 - grey, 255 - grey, 255], 4 * dot));
  canvas.getContext("2d").putImageData(picture, 0, 0);
  put(canvas, width, height);
};

async function take(files) {
  if (!files.length) return;
  say("");
  try {
    const { data, model, picture, missing } = await recognise([...files]);
    if (picture) put(picture, picture.width, picture.height);
    if (data) useData(data);
    if (model) ask("load", { bytes: model });
    if (missing) say(missing);
  } catch (error) {
    say(error.message);
  }
}
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => { take($("file").files); $("file").value = ""; });
addEventListener("paste", event => take(event.clipboardData.files));
for (const type of ["dragover", "dragleave", "drop"]) {
  addEventListener(type, event => {
    event.preventDefault();
    document.body.classList.toggle("over", type === "dragover");
    if (type === "drop") take(event.dataTransfer.files);
  });
}

hire();
clear();
try { readLink(); } catch (error) { say(error.message); }
showReading({ probabilities: null }, names);
useData();
