// What can be chosen: layers and how they learn, kept in the address too, so that a link has it.

import { $, make } from "./page.js";

const KINDS = {
  conv: { name: "Convolution", says: "searches for small patterns everywhere", fields: { filters: ["filters", 32, 1, 256], size: ["size", 3, 1, 9] } },
  pool: { name: "Pooling", says: "keeps the largest of each 2 × 2 dots", fields: {} },
  norm: { name: "Batch normalization", says: "keeps numbers in a good range", fields: {} },
  dropout: { name: "Dropout", says: "forgets a part at random, so that it memorises less", fields: { rate: ["part", .5, 0, .95] } },
  flatten: { name: "Flatten", says: "lays the picture out in one row", fields: {} },
  dense: { name: "Dense", says: "weighs all numbers against each other", fields: { units: ["units", 128, 1, 1024] } },
};
const PRESETS = {
  "Keras' example": [["conv", 32, 3], ["pool"], ["conv", 64, 3], ["pool"], ["flatten"], ["dropout", .5]],
  "a small one": [["conv", 8, 3], ["pool"], ["conv", 16, 3], ["pool"], ["flatten"]],
  "no convolution": [["flatten"], ["dense", 128]],
  "the simplest there is": [["flatten"]],
};
const RATES = [.0001, .0003, .001, .003, .01, .03, .1, .3, 1], BATCHES = [8, 16, 32, 64, 128, 256];

let chosen = standard(), data = "drawn", changed = () => {};

function standard() {
  return { layers: PRESETS["Keras' example"].map(fromList), optimizer: "adam", rate: .001, batch: 32, augment: false, seed: null };
}
function fromList([kind, ...values]) {
  return { kind, ...Object.fromEntries(Object.keys(KINDS[kind].fields).map((field, index) => [field, values[index]])) };
}

/** As the worker takes them. */
export const settings = () => JSON.stringify(chosen);
export const source = () => data;
/** Calls this with "network" or "data" after each change. */
export const whenChosen = then => { changed = then; };

/** Says which data the network learns from now. */
export function showData(now) {
  data = now;
  $("data").querySelector("[value=files]").disabled = now !== "files";
  $("data").value = now;
  remember();
}

// The address: what differs from the standard, as JSON that a person can read.

export function link() {
  remember();
  return location.href;
}
function remember() {
  const wanted = data === "files" ? "drawn" : data, text = JSON.stringify({ ...chosen, data: wanted });
  const plain = text === JSON.stringify({ ...standard(), data: "drawn" });
  history.replaceState(null, "", plain ? location.pathname + location.search : `#${encodeURIComponent(text)}`);
}

/** Takes what the address has; says what is wrong with it, if anything is. */
export function readLink() {
  if (location.hash.length < 2) return show();
  try {
    const { data: wanted = "drawn", ...rest } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    const known = Array.isArray(rest.layers) && rest.layers.every(({ kind }) => KINDS[kind]);
    if (!known) throw new Error("it has layers that this page does not know");
    chosen = { ...standard(), ...rest };
    data = ["drawn", "mnist", "fashion-mnist"].includes(wanted) ? wanted : "drawn";
  } catch (error) {
    chosen = standard();
    show();
    throw new Error(`This link's settings cannot be read (${error.message}): the usual ones are taken.`);
  }
  show();
}
/** The usual settings, where the ones of a link do not fit. */
export function backToStandard() {
  chosen = standard();
  data = "drawn";
  remember();
  show();
}

function change() {
  remember();
  changed("network");
}

// The form.

function show() {
  options($("rate"), RATES.includes(chosen.rate) ? RATES : [...RATES, chosen.rate].sort((a, b) => a - b), chosen.rate);
  options($("batch"), BATCHES.includes(chosen.batch) ? BATCHES : [...BATCHES, chosen.batch].sort((a, b) => a - b), chosen.batch);
  $("optimizer").value = chosen.optimizer;
  $("augment").checked = chosen.augment;
  $("data").value = data;
  showLayers();
}
function options(select, values, selected) {
  select.replaceChildren(...values.map(value => make("option", { value, selected: value === selected }, String(value))));
}
function showLayers() {
  const rows = chosen.layers.map((layer, index) => {
    const { name, says, fields } = KINDS[layer.kind];
    const inputs = Object.entries(fields).map(([field, [label, , min, max]]) => {
      const input = make("input", { type: "number", value: layer[field], min, max, step: field === "rate" ? .05 : 1 });
      input.addEventListener("change", () => { layer[field] = input.valueAsNumber || 0; change(); });
      return make("label", {}, label, " ", input);
    });
    const button = (text, says, disabled, then) => {
      const made = make("button", { type: "button", ariaLabel: `${says} layer ${index + 1}, ${name}`, title: says, disabled }, text);
      made.addEventListener("click", () => { then(); showLayers(); change(); focusOn(index, says); });
      return made;
    };
    const swap = other => { [chosen.layers[index], chosen.layers[other]] = [chosen.layers[other], chosen.layers[index]]; };
    return make("li", {}, make("span", { className: "name" }, name, make("small", {}, says)), ...inputs,
      make("span", { className: "moves" },
        button("↑", "Move up", index === 0, () => swap(index - 1)),
        button("↓", "Move down", index === chosen.layers.length - 1, () => swap(index + 1)),
        button("×", "Remove", false, () => chosen.layers.splice(index, 1))));
  });
  $("layers").replaceChildren(make("li", { className: "fixed" }, "The picture: 28 × 28 dots of grey"), ...rows,
    make("li", { className: "fixed" }, "The answer: ten probabilities"));
}
// A button that was pressed is made anew: whoever uses the keyboard stays where they were.
function focusOn(index, says) {
  const row = $("layers").children[Math.min(index + 1, chosen.layers.length)];
  [...row?.querySelectorAll("button:enabled") ?? []].find(button => button.title === says)?.focus();
}

$("kind").replaceChildren(...Object.entries(KINDS).map(([kind, { name }]) => make("option", { value: kind }, name)));
$("presets").replaceChildren(make("option", { value: "" }, "a network…"), ...Object.keys(PRESETS).map(name => make("option", {}, name)));
$("add").addEventListener("click", () => {
  const kind = $("kind").value;
  chosen.layers.push({ kind, ...Object.fromEntries(Object.entries(KINDS[kind].fields).map(([field, [, value]]) => [field, value])) });
  showLayers();
  change();
});
$("presets").addEventListener("change", () => {
  if (!$("presets").value) return;
  chosen.layers = PRESETS[$("presets").value].map(fromList);
  $("presets").value = "";
  showLayers();
  change();
});
$("optimizer").addEventListener("change", () => { chosen.optimizer = $("optimizer").value; change(); });
$("rate").addEventListener("change", () => { chosen.rate = Number($("rate").value); change(); });
$("batch").addEventListener("change", () => { chosen.batch = Number($("batch").value); change(); });
$("augment").addEventListener("change", () => { chosen.augment = $("augment").checked; change(); });
$("data").addEventListener("change", () => { data = $("data").value; remember(); changed("data"); });
$("settings").addEventListener("submit", event => event.preventDefault());
