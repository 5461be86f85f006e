// The paper: strokes, and pictures that are put on it. Tells what is on it after every change.

import { $ } from "./page.js";

const paper = $("paper"), pen = paper.getContext("2d", { willReadFrequently: true }), SIDE = paper.width;
/** The side of what goes to the worker: more than enough for 28 dots. */
const SENT = 140;
const small = new OffscreenCanvas(SENT, SENT).getContext("2d", { willReadFrequently: true });
let changed = () => {}, stroke = null, empty = true, frame = 0;

/** Calls this with the grey bytes of each new drawing, or null if there is none. */
export const whenDrawn = then => { changed = then; };

export function clear() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, SIDE, SIDE);
  show(true);
}

/** Puts a picture on the paper, as large as fits; grey bytes, light on dark, are turned into ink. */
export function put(picture, width, height) {
  clear();
  const scale = SIDE / Math.max(width, height) * .9;
  pen.drawImage(picture, (SIDE - width * scale) / 2, (SIDE - height * scale) / 2, width * scale, height * scale);
  show(false);
}

function show(nothing) {
  empty = nothing;
  $("hint").hidden = !nothing;
  $("clear").disabled = nothing;
  frame ||= requestAnimationFrame(() => { frame = 0; changed(empty ? null : grey()); });
}

function grey() {
  small.drawImage(paper, 0, 0, SENT, SENT);
  const colours = small.getImageData(0, 0, SENT, SENT).data, pixels = new Uint8Array(SENT * SENT);
  for (let dot = 0; dot < pixels.length; dot += 1) {
    pixels[dot] = .299 * colours[4 * dot] + .587 * colours[4 * dot + 1] + .114 * colours[4 * dot + 2];
  }
  return { pixels, width: SENT };
}

function place({ clientX, clientY }) {
  const box = paper.getBoundingClientRect();
  return [(clientX - box.left) / box.width * SIDE, (clientY - box.top) / box.height * SIDE];
}
function line([x, y]) {
  Object.assign(pen, { lineWidth: SIDE * .072, lineCap: "round", lineJoin: "round", strokeStyle: "#16130f" });
  pen.beginPath();
  pen.moveTo(...stroke.at);
  pen.lineTo(x, y);
  pen.stroke();
  stroke.at = [x, y];
}
paper.addEventListener("pointerdown", event => {
  if (event.button !== 0 || stroke) return;
  event.preventDefault();
  paper.setPointerCapture(event.pointerId);
  stroke = { id: event.pointerId, at: place(event) };
  line(stroke.at);
  show(false);
});
paper.addEventListener("pointermove", event => {
  if (event.pointerId !== stroke?.id) return;
  const events = event.getCoalescedEvents?.() ?? [];
  (events.length ? events : [event]).forEach(each => line(place(each)));
  show(false);
});
for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, event => { if (event.pointerId === stroke?.id) stroke = null; });
}
$("clear").addEventListener("click", clear);
