// What the network does, for people: bars, matrix, filters, mistakes.

import { $, drawGrey, make, percent } from "./page.js";

/** How probable each answer is. */
export function showReading({ probabilities, pixels, width, height }, names) {
  const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
  const longest = Math.max(...names.map(name => name.length));
  $("bars").style.setProperty("--names", `${Math.min(.6 + .55 * longest, 5)}rem`);
  if ($("bars").children.length !== names.length) {
    $("bars").replaceChildren(...names.map(() => make("li", {}, make("span"), make("i", {}, make("b")), make("span"))));
  }
  names.forEach((name, index) => {
    const item = $("bars").children[index], [label, track, part] = item.children, value = probabilities?.[index] ?? 0;
    item.className = index === best ? "best" : "";
    label.textContent = label.title = name;
    track.firstChild.style.setProperty("--part", value.toFixed(3));
    part.textContent = probabilities ? percent(value, 0) : "";
  });
  $("answer").className = best < 0 ? "none" : names[best].length > 2 ? "long" : "";
  if (best < 0) {
    $("answer").textContent = "It reads what you draw again and again as it learns.";
    return null;
  }
  const value = probabilities[best];
  const sure = value >= .9 ? "sure" : value >= .6 ? "fairly sure" : "not sure";
  $("answer").replaceChildren(names[best], " ", make("small", {}, sure));
  drawGrey($("seen"), pixels, width, height);
  return `${names[best]}, ${sure}`;
}

/** Counts of (label, answer): a real table, whose cells change. */
export function showConfusion({ confusion }, names) {
  const count = names.length, table = $("confusion");
  if (table.dataset.names !== names.join()) {
    table.dataset.names = names.join();
    const head = make("tr", {}, make("td", { className: "corner" }), ...names.map(name => make("th", { scope: "col", title: name }, name)));
    const rows = names.map(name => make("tr", {}, make("th", { scope: "row", title: name }, name), ...names.map(() => make("td"))));
    table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  }
  for (let label = 0; label < count; label += 1) {
    const row = confusion.slice(label * count, (label + 1) * count), all = row.reduce((sum, one) => sum + one, 0) || 1;
    row.forEach((number, answer) => {
      const cell = table.tBodies[0].rows[label].cells[answer + 1];
      cell.className = label === answer ? "right" : "";
      // Square roots, so that one mistake in a hundred is seen.
      cell.style.setProperty("--part", (.85 * Math.sqrt(number / all)).toFixed(2));
      cell.textContent = number || "";
    });
  }
}

/** The first layer's filters, eight or more in a row. */
export function showFilters({ count, height, width, pixels }) {
  const canvas = $("filters");
  canvas.hidden = !count;
  $("filters-text").hidden = !count;
  if (!count) return;
  const columns = Math.min(count, 8), rows = Math.ceil(count / columns), across = width + 1, down = height + 1;
  const picture = new ImageData(columns * across - 1, rows * down - 1);
  for (let filter = 0; filter < count; filter += 1) {
    const left = (filter % columns) * across, top = Math.floor(filter / columns) * down;
    for (let dot = 0; dot < width * height; dot += 1) {
      const grey = pixels[filter * width * height + dot];
      const place = (top + Math.floor(dot / width)) * picture.width + left + dot % width;
      picture.data.set([grey, grey, grey, 255], 4 * place);
    }
  }
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    Object.assign(canvas, { width: picture.width, height: picture.height, ariaLabel: `The first layer's ${count} filters of ${height} by ${width} weights` });
    canvas.style.width = `${Math.min(picture.width * 14, 480)}px`;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** What it reads wrongly and is most sure of. */
export function showMistakes({ mistakes, accuracy, examples }, names) {
  const list = $("mistakes");
  list.replaceChildren(...mistakes.map(({ label, answer, probability, pixels, width, height }) => {
    const canvas = make("canvas", { role: "img", ariaLabel: `A ${names[label]}` });
    drawGrey(canvas, pixels, width, height);
    return make("li", {}, canvas, `${names[label]}, read as ${names[answer]} (${percent(probability, 0)})`);
  }));
  const wrong = Math.round((1 - accuracy) * examples);
  $("mistakes-text").textContent = `${wrong} of ${examples} test pictures are read wrongly. Would you have read these?`;
}
