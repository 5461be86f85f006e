// Words that all parts of the page use.

export const $ = id => document.getElementById(id);

/** An element with these properties and children; text becomes text, never HTML. */
export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export const percent = (part, digits = 1) => `${(100 * part).toFixed(digits)}\u00a0%`;

/** Says what is wrong at the top of the page; nothing takes it away. */
export function say(text) {
  $("message").hidden = !text;
  if ($("message").textContent !== text) $("message").textContent = text;
  if (text) $("message").scrollIntoView?.({ block: "nearest" });
}

/** Draws grey bytes on a canvas, one pixel a byte. */
export function drawGrey(canvas, pixels, width, height) {
  const picture = new ImageData(width, height);
  pixels.forEach((grey, dot) => picture.data.set([grey, grey, grey, 255], 4 * dot));
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const DIGITS = [..."0123456789"];
const CLOTHES = ["T-shirt", "Trousers", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"];
/** What the ten answers are called, by data set. */
export const namesOf = data => data === "fashion-mnist" ? CLOTHES : DIGITS;
