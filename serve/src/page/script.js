"use strict";
const $ = id => document.getElementById(id);
// Text from the server becomes text nodes only: a model's card may come from anybody.
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
const percent = part => `${(100 * part).toFixed(1)}\u00a0%`;

// Talking to the server.

const KEY = "inkstone-key";
class Problem extends Error {
  constructor(text, status, wait) { super(text); Object.assign(this, { status, wait }); }
}
async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let response, text, answer = {};
  try {
    response = await fetch(path, { ...options, headers, signal: AbortSignal.timeout(20000) });
    text = await response.text();
  } catch {
    throw new Problem("The server cannot be reached. Trying again…", 0, 3);
  }
  try { answer = JSON.parse(text); } catch { /* A server in between may answer with something else. */ }
  if (response.ok) return answer;
  const { status } = response, said = answer.error ?? `it answered with the status ${status}`;
  if (status === 401) {
    askForKey(key);
    throw new Problem("", status);
  }
  if (status === 429 || status === 503) {
    const wait = Number(response.headers.get("retry-after")) || 3;
    throw new Problem(`The server says: ${said}. Trying again in ${wait} s.`, status, wait);
  }
  throw new Problem(`The server says: ${said}`, status);
}
function say(text) {
  $("message").hidden = !text;
  if ($("message").textContent !== text) $("message").textContent = text;
}
function askForKey(refused) {
  sessionStorage.removeItem(KEY);
  say(refused ? "The server does not know this key." : "");
  $("key-section").hidden = false;
  $("key").focus();
}
$("key-form").addEventListener("submit", event => {
  event.preventDefault();
  const key = $("key").value.trim();
  if (!/^[!-~]+$/.test(key)) return say("A key has plain letters, digits and signs only, and no spaces.");
  sessionStorage.setItem(KEY, key);
  $("key-section").hidden = true;
  $("key").value = "";
  list().then(changed);
});

// The models, and the card of the one that is chosen.

let models = [], chosen = null, looking = 0;
async function list() {
  clearTimeout(looking);
  try {
    const answer = await ask("v1/models");
    models = (answer.models ?? []).filter(model => model.versions.length);
    say(models.length ? "" : "No model is loaded yet. Looking again…");
    if (!models.length) looking = setTimeout(list, 2000);
    show();
  } catch (problem) {
    if (problem.status !== 401) say(problem.message);
    if (problem.wait) looking = setTimeout(list, 1000 * problem.wait);
  }
}
function show() {
  const model = models.find(model => model.name === $("model").value) ?? models[0];
  const newestFirst = [...model?.versions ?? []].sort((a, b) => b.version - a.version);
  const version = newestFirst.find(({ version }) => model.name === chosen?.name && version === $("version").value)
    ?? newestFirst.find(({ state }) => state === "AVAILABLE") ?? newestFirst[0];
  fill($("model"), models.map(({ name }) => name), model?.name);
  fill($("version"), newestFirst.map(({ version }) => version), version?.version);
  const before = chosen;
  chosen = model ? { name: model.name, ...version } : null;
  $("card").hidden = !chosen;
  if (chosen) showCard(chosen);
  if (["name", "version", "sha256", "state"].some(key => before?.[key] !== chosen?.[key])) {
    showNothing();
    changed();
  }
}
function fill(select, names, selected) {
  select.replaceChildren(...names.map(name => make("option", { value: name, selected: name === selected }, name)));
  $(`${select.id}-part`).hidden = names.length < 2;
}
const takesPictures = ({ input, output }) =>
  input?.length === 3 && [1, 3].includes(input[2]) && output?.length === 1 && output[0] > 1;
function showCard(model) {
  const { classes = [], output, parameters, accuracy } = model;
  const served = model.state === "AVAILABLE", pictures = !served || takesPictures(model);
  $("paper-section").hidden = $("result").hidden = !pictures;
  $("other").hidden = pictures;
  if (!pictures) showExample(model);
  $("invitation").textContent = String(model.input) === "28,28,1" ? "Draw a digit here" : "Draw here";
  $("card-title").textContent = `About the model ${model.name}`;
  $("about").textContent = model.description ?? "";
  const facts = [
    ["State", served ? "ready" : "not served"],
    ["Version", model.version],
    ["Accuracy", accuracy != null && `${percent(accuracy)} in tests`],
    ["Parameters", parameters?.toLocaleString("en")],
    ["Input", model.input?.join(" × ")],
    ["Size of the file", model.bytes != null && bytes(model.bytes)],
    ["SHA-256 of the file", model.sha256 && digest(model.sha256)],
    ["Signed", served && (model.signed ? "yes, and checked" : "not checked")],
    ["Encrypted", served && (model.encrypted ? "yes" : "no")],
    ["Licensed to", model.licensee],
    [served ? "Its file has changed, and the new one cannot be used" : "Why it is not served", model.fault, "full"],
    [`Classes (${classes.length})`, classes.length > 0 && make("ul", {}, ...classes.map(name => make("li", {}, name))), "full"],
    ["Classes", served && !classes.length && output.length === 1 && output[0] > 1 && `${output[0]}, without names`],
  ];
  $("facts").replaceChildren(...facts.filter(([, value]) => value).map(([name, value, className = ""]) =>
    make("div", { className }, make("dt", {}, name), make("dd", {}, value))));
}
function bytes(count) {
  return count < 1e3 ? `${count} bytes` : count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}
function digest(all) {
  const short = `${all.slice(0, 12)}…`, code = make("code", {}, short);
  const button = make("button", { title: all, ariaLabel: `SHA-256 ${all}` }, code);
  button.addEventListener("click", () => { code.textContent = code.textContent === short ? all : short; });
  return button;
}
function showExample({ name, version, input }) {
  const nested = ([length, ...rest]) => length === undefined ? "0" :
    `[${Array(Math.min(length, 8)).fill(nested(rest)).join(", ")}${length > 8 ? ", …" : ""}]`;
  const dots = input.some(length => length > 8) ? " (write numbers where the dots are)" : "";
  $("other-text").textContent = `It takes ${input.join(" × ")} numbers from a program, for example from this command${dots}:`;
  const url = new URL(`v1/models/${name}/versions/${version}:predict`, document.baseURI);
  const key = sessionStorage.getItem(KEY) ? ` \\\n  -H "Authorization: Bearer $KEY"` : "";
  $("example").textContent = `curl ${url}${key} \\\n  -d '{"instances": [${nested(input)}]}'`;
}
for (const id of ["model", "version"]) $(id).addEventListener("change", () => { say(""); show(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && chosen) list(); });

// The paper: strokes and pictures, in the order that they came.

const paper = $("paper"), pen = paper.getContext("2d"), SIDE = paper.width;
let marks = [], stroke = null, sheet = 0;
function draw() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, SIDE, SIDE);
  for (const mark of marks) mark.bitmap ? drawPicture(mark.bitmap) : drawStroke(mark.points);
  $("hint").hidden = marks.length > 0;
  $("undo").disabled = $("clear").disabled = marks.length === 0;
}
function drawPicture(bitmap) {
  const scale = SIDE / Math.max(bitmap.width, bitmap.height), width = bitmap.width * scale, height = bitmap.height * scale;
  pen.fillRect(0, 0, SIDE, SIDE);
  pen.drawImage(bitmap, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}
function drawStroke(points) {
  Object.assign(pen, { lineWidth: SIDE * .072, lineCap: "round", lineJoin: "round", strokeStyle: "#16130f" });
  pen.beginPath();
  pen.moveTo(...points[0]);
  // Curves between the middles of the lines have no corners.
  points.slice(1).forEach(([x, y], index) => {
    const [beforeX, beforeY] = points[index];
    pen.quadraticCurveTo(beforeX, beforeY, (beforeX + x) / 2, (beforeY + y) / 2);
  });
  pen.lineTo(...points.at(-1));
  pen.stroke();
}
// A dot is no digit yet.
const isDrawn = () => marks.some(({ bitmap, points }) => bitmap || points.some(([x, y]) =>
  Math.hypot(x - points[0][0], y - points[0][1]) > SIDE / 12));
function place(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE];
}
paper.addEventListener("pointerdown", event => {
  if (event.button !== 0 || stroke) return;
  event.preventDefault();
  paper.setPointerCapture(event.pointerId);
  stroke = { id: event.pointerId, points: [place(event)] };
  marks.push(stroke);
  changed();
});
paper.addEventListener("pointermove", event => {
  if (event.pointerId !== stroke?.id) return;
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(events.length ? events : [event]).map(place));
  changed();
});
for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, event => { if (event.pointerId === stroke?.id) { stroke = null; changed(); } });
}
function keep(count) {
  marks.length = count;
  sheet += 1;
  stroke = null;
  say("");
  changed();
}
const undo = () => keep(Math.max(0, marks.length - 1));
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", () => keep(0));
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => { addPicture($("file").files[0]); $("file").value = ""; });
addEventListener("keydown", event => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.target.matches("input")) { event.preventDefault(); undo(); }
});
addEventListener("paste", event => addPicture(event.clipboardData.files[0]));
for (const type of ["dragover", "dragleave", "drop"]) {
  addEventListener(type, event => {
    event.preventDefault();
    $("stage").classList.toggle("over", type === "dragover");
    if (type === "drop") addPicture(event.dataTransfer.files[0]);
  });
}
async function addPicture(file) {
  if (!file) return;
  try {
    marks.push({ bitmap: await createImageBitmap(file), file });
    keep(marks.length);
  } catch {
    say(`${file.name} is no picture that can be read here: choose a PNG or a JPEG.`);
  }
}

// Asking while somebody draws: one request at a time, and always of the newest picture.

let wanted = 0, asked = 0, busy = false, frame = 0;
function changed() {
  wanted += 1;
  frame ||= requestAnimationFrame(() => { frame = 0; draw(); if (!isDrawn()) showNothing(); });
  if (!busy) keepAsking();
}
async function keepAsking() {
  busy = true;
  await pause(0);
  while (asked !== wanted) {
    const state = asked = wanted;
    if (!isDrawn() || !chosen || !$("key-section").hidden || !$("other").hidden) continue;
    if (chosen.state !== "AVAILABLE") { say("This version is not served. Below is why."); continue; }
    const { name, version } = chosen, before = sheet, start = performance.now();
    try {
      const options = { method: "POST", body: await picture() };
      const answer = await ask(`v1/models/${name}/versions/${version}:classify?show=input`, options);
      // What was wiped away, or asked of another model, is not shown any more.
      if (before === sheet && name === chosen?.name && version === chosen.version) {
        say("");
        showAnswer(answer, Math.round(performance.now() - start), state === wanted && !stroke);
      }
    } catch (problem) {
      // What is half drawn may be no digit yet.
      if (problem.status !== 401 && isDrawn() && !(stroke && problem.status === 400)) say(problem.message);
      if (problem.status === 404) list();
      if (problem.wait) { await pause(1000 * problem.wait); wanted += 1; }
    }
    await pause(50);
  }
  busy = false;
}
const sent = make("canvas", { width: 420, height: 420 });
function picture() {
  const { file } = marks.at(-1);
  if (["image/png", "image/jpeg"].includes(file?.type) && file.size < 8e6) return file;
  draw();
  sent.getContext("2d").drawImage(paper, 0, 0, sent.width, sent.height);
  return new Promise(resolve => sent.toBlob(resolve, "image/png"));
}

// The answer.

function showNothing() {
  $("answer").className = "none";
  $("answer").textContent = "It appears as you draw.";
  $("sure").textContent = $("spoken").textContent = $("size").textContent = "";
  $("seen").getContext("2d").clearRect(0, 0, $("seen").width, $("seen").height);
  $("seen").ariaLabel = "What the model sees: nothing yet";
  showBars(Array(chosen && takesPictures(chosen) ? chosen.output[0] : 0).fill(0), -1);
}
const nameOf = index => chosen.classes?.[index] ?? String(index);
function showAnswer({ class: best, probability, probabilities, input }, milliseconds, finished) {
  const name = nameOf(best), length = [...name].length;
  $("answer").textContent = name;
  $("answer").className = length < 3 ? "short" : length < 7 ? "medium" : "";
  const sure = `${percent(probability)}, ${probability >= .9 ? "sure" : probability >= .6 ? "fairly sure" : "not sure"}`;
  $("sure").textContent = `${sure} (${milliseconds}\u00a0ms)`;
  if (finished) $("spoken").textContent = `The answer is ${name}, ${sure}.`;
  showBars(probabilities, best);
  showSeen(input);
}
function showBars(probabilities, best) {
  const order = probabilities.map((_, index) => index), bars = $("bars");
  if (order.length > 20) order.sort((a, b) => probabilities[b] - probabilities[a]);
  const longest = order.reduce((most, index) => Math.max(most, nameOf(index).length), 1);
  bars.style.setProperty("--names", `${Math.min(1 + .55 * longest, 9)}rem`);
  while (bars.children.length > order.length) bars.lastChild.remove();
  while (bars.children.length < order.length) bars.append(make("li", {}, make("span"), make("i", {}, make("b")), make("span")));
  order.forEach((index, row) => {
    const item = bars.children[row], [name, track, part] = item.children, value = probabilities[index];
    item.className = index === best ? "best" : "";
    name.textContent = name.title = nameOf(index);
    track.firstChild.style.width = `${100 * Math.min(Math.max(value, 0), 1)}%`;
    part.textContent = best < 0 ? "" : percent(value);
  });
}
function showSeen({ shape: [height, width, channels], pixels }) {
  const seen = $("seen"), picture = new ImageData(width, height);
  Object.assign(seen, { width, height, ariaLabel: `What the model sees, ${width} by ${height} dots` });
  seen.style.aspectRatio = `${width} / ${height}`;
  for (let dot = 0; dot < width * height; dot += 1) {
    const [red, green = red, blue = red] = pixels.slice(dot * channels, (dot + 1) * channels);
    picture.data.set([red, green, blue, 255], 4 * dot);
  }
  seen.getContext("2d").putImageData(picture, 0, 0);
  $("size").textContent = `${width} × ${height} dots`;
}
draw();
showNothing();
list();
