// Writes what a reader would see into the page: sizes of its parts, and words that are cut off or on top of each other.
const found = [];
for (const part of document.querySelectorAll("section, svg, h1, dl")) {
  const { width, height } = part.getBoundingClientRect();
  found.push(`size ${part.tagName.toLowerCase()} ${part.id} ${Math.round(width)} ${Math.round(height)}`);
}
for (const svg of document.querySelectorAll("svg")) {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map(text => ({ words: text.textContent.trim(), box: text.getBoundingClientRect() }));
  for (const { words, box } of texts) {
    if (box.left < frame.left || box.right > frame.right || box.top < frame.top || box.bottom > frame.bottom) {
      found.push(`clipped ${words}`);
    }
  }
  // Lines are taller than their letters.
  const slack = 0.2;
  texts.forEach((a, index) => texts.slice(index + 1).forEach(b => {
    const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
    const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
    const smaller = Math.min(a.box.height, b.box.height, a.box.width, b.box.width);
    if (wide > slack * smaller && high > slack * smaller) found.push(`overlapping ${a.words} | ${b.words}`);
  }));
}
const root = document.documentElement;
found.push(`page ${root.scrollWidth} ${root.clientWidth}`);
document.body.innerHTML = "<pre id='measured'></pre>";
document.getElementById("measured").textContent = found.join("\n") + "\n";
