// The two curves, drawn by uPlot: what it learns from, and what it has never seen, against pictures seen.

import { $ } from "./page.js";

/** The most points of a curve; then every other one is left out. */
const MOST = 600;
const charts = {};
let train, test, frame = 0;

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function chart(id, range) {
  const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const pictures = values => values.map(value => value >= 1000 ? `${value / 1000}k` : `${value}`);
  const curve = (label, name, width) => ({ label, stroke: () => colour(name), width, spanGaps: true, points: { show: false } });
  return new uPlot({
    width: $(id).clientWidth, height: 220, legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false }, y: { range } },
    axes: [{ ...axis, values: (_, values) => pictures(values) }, { ...axis, size: 44 }],
    series: [{ label: "Pictures" }, curve("Pictures it learns from", "--train", 1.5), curve("Test", "--test", 2.5)],
  }, [[], [], []], $(id));
}

export function clearCharts() {
  train = [[], [], []];
  test = [[], [], []];
  draw();
}

/** A point of the curve of what it learns from: after so many pictures. */
export function addTraining(pictures, accuracy, loss) { add(train, pictures, accuracy, loss); }

/** A point of the curve of what it has never seen. */
export function addTest(pictures, accuracy, loss) { add(test, pictures, accuracy, loss); }

function add(points, pictures, accuracy, loss) {
  [pictures, 100 * accuracy, loss].forEach((value, index) => points[index].push(value));
  if (points[0].length > MOST) points.forEach((values, index) => { points[index] = values.filter((_, place) => place % 2 === 0); });
  draw();
}

// Once a frame at most, however much comes.
function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    charts.accuracy ??= chart("accuracy-chart", (_, low) => [Math.max(0, Math.min(90, Math.floor((low ?? 0) / 10) * 10)), 100]);
    charts.loss ??= chart("loss-chart", (_, low, high) => [0, high ?? 1]);
    charts.accuracy.setData(uPlot.join([[train[0], train[1]], [test[0], test[1]]]));
    charts.loss.setData(uPlot.join([[train[0], train[2]], [test[0], test[2]]]));
  });
}

addEventListener("resize", () => {
  for (const [name, plot] of Object.entries(charts)) plot.setSize({ width: $(`${name}-chart`).clientWidth, height: 220 });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => Object.values(charts).forEach(plot => plot.redraw()));
