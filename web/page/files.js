// What somebody opens or drops: the files of a data set, a model, or a picture.

/** The four files of a data set: what their names have in them. */
const PARTS = [["train", "images"], ["train", "labels"], ["t10k|test", "images"], ["t10k|test", "labels"]]
  .map(([set, what]) => name => new RegExp(`(${set}).*${what}`, "i").test(name));
const SAYS = ["training pictures", "training labels", "test pictures", "test labels"];
/** Larger files than these are not read: a page has little memory. */
const MOST = { data: 400e6, model: 100e6, picture: 50e6 };

// What has come so far: people drop one after another, too.
let parts = [];

/** What to do with these files: { data }, { model } or { picture }; an error says what is wrong or missing. */
export async function recognise(files) {
  const found = {};
  for (const file of files) {
    const part = PARTS.findIndex(fits => fits(file.name));
    if (part >= 0) {
      parts[part] = await bytesOf(file, MOST.data);
    } else if (/\.safetensors$/i.test(file.name)) {
      found.model = await bytesOf(file, MOST.model);
    } else if (file.type.startsWith("image/")) {
      if (file.size > MOST.picture) throw new Error(`${file.name} is too large for a picture of a digit.`);
      found.picture = await createImageBitmap(file).catch(() => { throw new Error(`${file.name} is no picture that can be read here: choose a PNG or a JPEG.`); });
    } else {
      throw new Error(`${file.name} is none of the files that this page knows: a data set's (as train-images-idx3-ubyte.gz), a model (.safetensors), or a picture.`);
    }
  }
  const missing = SAYS.filter((_, part) => !parts[part]);
  if (missing.length === 0) {
    found.data = parts;
    parts = [];
  } else if (missing.length < 4) {
    found.missing = `Still missing: ${missing.join(", ")}. Drop them too.`;
  }
  return found;
}

async function bytesOf(file, most) {
  if (file.size > most) throw new Error(`${file.name} has ${file.size} bytes, at most ${most} can be read here.`);
  return new Uint8Array(await file.arrayBuffer());
}
