/* Loading of data.  A page opened from disk may not fetch, but it may load scripts.  Each data file is one call of
   claran.take(name, value); claran.load(name) loads it once and returns its value. */
"use strict";

const claran = {
  folder: document.currentScript.dataset.folder,
  values: new Map(),
  requests: new Map(),

  take(name, value) {
    claran.values.set(name, value);
  },

  load(name) {
    if (!claran.requests.has(name)) claran.requests.set(name, claran.request(name));
    return claran.requests.get(name);
  },

  request(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${claran.folder}/${name}.js`;
      script.onload = () => {
        script.remove();
        if (claran.values.has(name)) resolve(claran.values.get(name));
        else reject(new Error(`${name}.js has no data`));
      };
      script.onerror = () => {
        script.remove();
        claran.requests.delete(name); // the next call tries again
        reject(new Error(`the file ${claran.folder}/${name}.js cannot be loaded`));
      };
      document.head.append(script);
    });
  },

  file(kind, number) {
    return `${kind}/${String(number).padStart(5, "0")}`;
  },

  /* Return all columns of a row of the gallery, as an object. */
  async row(row) {
    const { columns, rows_per_file: size } = await claran.load("sources");
    const rows = await claran.load(claran.file("rows", Math.floor(row / size)));
    const values = rows[row % size];
    return Object.fromEntries(columns.map((column, i) => [column.name, values[i]]));
  },

  /* Return the overlays of the subject with number `place` among the pictures, and its place in a sheet. */
  async subject(place) {
    const { pictures_per_file: size, n_pictures: total } = await claran.load("sources");
    const name = claran.file("pictures", Math.floor(place / size));
    const subjects = await claran.load(name);
    return {
      ...subjects[place % size],
      sheet: `${claran.folder}/${name}`,
      sheetRow: place % size,
      sheetRows: Math.min(size, total - size * Math.floor(place / size)),
    };
  },
};

/* Return an element with attributes and children; text is never parsed as markup. */
function make(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function makeSvg(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/* Format a number with `digits` significant digits; a missing value gives a dash. */
function shown(value, digits = 4) {
  if (value === null || value === undefined || value === "") return "\u2013";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(1);
  return String(Number(value.toPrecision(digits)));
}

function thousands(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function linkTo(id) {
  return `#${encodeURIComponent(id)}`;
}
