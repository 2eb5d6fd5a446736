/* Filters and order of the list of sources. */
"use strict";

/* Rows sorted by a column; missing values come last in both directions.  Each order is computed once and kept. */
class Orders {
  constructor(sources) {
    this.sources = sources;
    this.kept = new Map();
  }

  get(key, descending) {
    const name = `${key} ${descending}`;
    if (!this.kept.has(name)) this.kept.set(name, this.sorted(key, descending));
    return this.kept.get(name);
  }

  sorted(key, descending) {
    const values = this.sources[key];
    const rows = Uint32Array.from(values.keys());
    const sign = descending ? -1 : 1;
    if (key === "id") return rows.sort((a, b) => (values[a] < values[b] ? -sign : values[a] > values[b] ? sign : a - b));
    // Pictures first: selected sources, then others in their subjects, then all others.
    const { place } = this.sources;
    const missing = Infinity;
    const rank = Float64Array.from(values, (value, row) => {
      if (key === "turn") return value >= 0 ? value : place[row] >= 0 ? 1e9 : 2e9;
      return value === null || (key === "host" && value <= 0) ? missing : sign * value;
    });
    return rows.sort((a, b) => (rank[a] === rank[b] ? a - b : rank[a] - rank[b]));
  }
}

/* Return the settings of the form; null for an empty field. */
function readFilters(form) {
  const number = (name) => {
    const text = form.elements[name].value.trim();
    return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };
  let withFlags = 0;
  let withoutFlags = 0;
  for (const choice of form.querySelectorAll("select[data-bit]")) {
    if (choice.value === "with") withFlags |= Number(choice.dataset.bit);
    if (choice.value === "without") withoutFlags |= Number(choice.dataset.bit);
  }
  return {
    text: form.elements.text.value.trim().toLowerCase(),
    classes: new Set([...form.querySelectorAll("input[name=morphology]:checked")].map((box) => Number(box.value))),
    ranges: ["flux", "size", "probability"].map((key) => [key, number(`${key}_min`), number(`${key}_max`)]),
    host: form.elements.host.value,
    grouping: form.elements.grouping.value,
    pictures: form.elements.pictures.checked,
    withFlags,
    withoutFlags,
  };
}

/* Return the rows of `order` that match the filters. */
function passing(sources, order, filters) {
  const { id, morphology, flags, host, place } = sources;
  const ranges = filters.ranges
    .filter(([, low, high]) => low !== null || high !== null)
    .map(([key, low, high]) => [sources[key], low ?? -Infinity, high ?? Infinity]);
  const reliable = { any: null, seen: 0, half: 0.5, secure: 0.8 }[filters.host] ?? null;
  const pass = (row) => {
    if (!filters.classes.has(morphology[row])) return false;
    if ((flags[row] & filters.withFlags) !== filters.withFlags || flags[row] & filters.withoutFlags) return false;
    if (filters.grouping !== "any" && isDoubtful(sources, flags[row]) !== (filters.grouping === "doubtful")) return false;
    if (filters.pictures && place[row] < 0) return false;
    if (filters.host === "none" && host[row] > 0) return false;
    if (reliable !== null && !(host[row] > 0 && host[row] >= reliable)) return false;
    for (const [values, low, high] of ranges) {
      const value = values[row];
      if (value === null || value < low || value > high) return false;
    }
    return filters.text === "" || id[row].toLowerCase().includes(filters.text);
  };
  return order.filter(pass);
}
