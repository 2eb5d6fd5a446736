/* The gallery: the filter form, and a list of which only the visible lines are in the page. */
"use strict";

const OVERSCAN = 4; // lines kept above and below the visible ones, for the Tab key
const MAX_HEIGHT = 8e6; // px: browsers cannot scroll much farther than ten million
const ROW_HEIGHT = 40; // px, height of a line of the table
const CARD_TEXT = 68; // px, height of the text below a picture
const CARD_WIDTH = 168; // px, minimum
const PHONE_CARD_WIDTH = 120;
const GAP = 12;

class VirtualList {
  /* `box` scrolls and `inside` is its content; `makeItem(row)` returns the element of a row. */
  constructor(box, inside, makeItem) {
    Object.assign(this, { box, inside, makeItem, rows: [], live: new Map(), perLine: 1, lineHeight: ROW_HEIGHT });
    let scheduled = false;
    box.addEventListener("scroll", () => {
      if (scheduled) return;
      scheduled = true;
      requestAnimationFrame(() => { scheduled = false; this.draw(); });
    }, { passive: true });
  }

  setRows(rows, { perLine, lineHeight }) {
    Object.assign(this, { rows, perLine, lineHeight });
    this.clear();
    this.box.scrollTop = 0;
    this.resize();
  }

  clear() {
    this.live.clear();
    this.inside.replaceChildren();
  }

  resize() {
    this.total = Math.ceil(this.rows.length / this.perLine) * this.lineHeight;
    this.inside.style.height = `${Math.min(this.total, MAX_HEIGHT)}px`;
    this.draw();
  }

  /* Draw the visible lines.  A list that is higher than a browser can scroll moves faster than its scroll bar. */
  draw() {
    const view = this.box.clientHeight;
    const height = Math.min(this.total, MAX_HEIGHT);
    const top = this.box.scrollTop;
    const share = height > view ? (this.total - view) / (height - view) : 1;
    const shift = top * share - top;
    const first = Math.max(0, Math.floor((top * share) / this.lineHeight) - OVERSCAN);
    const last = Math.ceil((top * share + view) / this.lineHeight) + OVERSCAN;
    const wanted = new Set();
    for (let i = first * this.perLine; i < Math.min(last * this.perLine, this.rows.length); i++) wanted.add(i);
    for (const [i, element] of this.live) if (!wanted.has(i)) { element.remove(); this.live.delete(i); }
    let before = this.inside.firstChild;
    for (const i of wanted) {
      let element = this.live.get(i);
      if (!element) {
        element = this.makeItem(this.rows[i], i);
        this.live.set(i, element);
      }
      element.style.top = `${Math.floor(i / this.perLine) * this.lineHeight - shift}px`;
      if (this.perLine > 1) element.style.left = `${(100 * (i % this.perLine)) / this.perLine}%`;
      if (element === before) before = before.nextSibling; // already in place: the order of the elements is that of the Tab key
      else this.inside.insertBefore(element, before);
    }
  }
}

class Gallery {
  constructor(sources) {
    this.sources = sources;
    this.orders = new Orders(sources);
    this.form = document.getElementById("filters");
    this.listing = document.getElementById("listing").elements;
    this.box = document.getElementById("sources");
    this.list = new VirtualList(this.box, document.getElementById("lines"), (row, i) => this.makeItem(row, i));
    this.head = document.getElementById("heads");
    for (const form of [this.form, document.getElementById("listing")]) {
      form.addEventListener("input", () => this.update());
      form.addEventListener("reset", () => setTimeout(() => this.update()));
      form.addEventListener("submit", (event) => event.preventDefault());
    }
    this.head.addEventListener("click", (event) => this.sortBy(event.target.closest("button")?.dataset.key));
    let width = 0;
    new ResizeObserver(() => {
      if (width === this.box.clientWidth) this.list.draw();
      else { width = this.box.clientWidth; this.layOut(); }
    }).observe(this.box);
    this.update();
  }

  get view() { return this.listing.view.value; }

  sortBy(key) {
    if (!key) return;
    const { sort, descending } = this.listing;
    descending.checked = sort.value === key ? !descending.checked : key !== "id" && key !== "morphology";
    sort.value = key;
    this.update();
  }

  update() {
    const { sort, descending } = this.listing;
    this.rows = passing(this.sources, this.orders.get(sort.value, descending.checked), readFilters(this.form));
    this.place = null;
    const total = this.sources.id.length;
    document.getElementById("count").textContent = `${thousands(this.rows.length)} of ${thousands(total)} sources`;
    document.getElementById("nothing").hidden = this.rows.length > 0;
    for (const head of this.head.querySelectorAll("[role=columnheader]")) {
      const sorted = head.querySelector("button")?.dataset.key === sort.value;
      head.setAttribute("aria-sort", !sorted ? "none" : descending.checked ? "descending" : "ascending");
    }
    this.layOut();
  }

  layOut() {
    const table = this.view === "table";
    this.box.className = table ? "as-table" : "as-cards";
    this.listing.panel.parentElement.hidden = table;
    const width = this.list.inside.clientWidth;
    const least = width < 480 ? PHONE_CARD_WIDTH : CARD_WIDTH;
    const perLine = table ? 1 : Math.max(1, Math.floor(width / (least + GAP)));
    this.box.setAttribute("role", table ? "table" : "group");
    this.list.inside.setAttribute("role", table ? "rowgroup" : "group");
    this.box.setAttribute("aria-rowcount", this.rows.length + 1); // most of them are not in the page
    this.box.style.setProperty("--card-width", `${width / perLine - GAP}px`);
    this.list.setRows(this.rows, {
      perLine, lineHeight: table ? ROW_HEIGHT : Math.ceil(width / perLine - GAP) + CARD_TEXT + GAP,
    });
  }

  makeItem(row, i) {
    return this.view === "table" ? this.makeLine(row, i) : this.makeCard(row);
  }

  makeLine(row, i) {
    const { id, classes, morphology, probability, flux, size, host, flags, place } = this.sources;
    const name = classes[morphology[row]];
    const cell = (kind, ...content) => make("span", { role: "cell", class: kind }, ...content);
    return make("div", { role: "row", class: "line", "aria-rowindex": i + 2 },
      cell("id", make("a", { href: linkTo(id[row]) }, id[row]), place[row] >= 0 ? make("i", { class: "has-picture", title: "with pictures", role: "img", "aria-label": "with pictures" }) : "", isDoubtful(this.sources, flags[row]) ? make("span", { class: "badge" }, "doubtful") : ""),
      cell("class", make("i", { class: `key k-${name}` }), name),
      cell("n", probability[row].toFixed(2)),
      cell("n", shown(flux[row], 4)),
      cell("n", shown(size[row], 3)),
      cell("n", host[row] > 0 ? host[row].toFixed(2) : "\u2013"),
      cell("n", flagNames(this.sources, flags[row]).length || "\u2013"));
  }

  makeCard(row) {
    const { id, classes, morphology, probability, flux, place } = this.sources;
    const name = classes[morphology[row]];
    const window_ = make("span", { class: "window" });
    if (place[row] < 0) window_.append(make("span", { class: "no-picture" }, "no picture"));
    else fillPicture(window_, this.sources, place[row], this.listing.panel.value, row);
    return make("a", { class: "card", href: linkTo(id[row]) }, window_,
      make("span", { class: "name" }, id[row]),
      ...(isDoubtful(this.sources, this.sources.flags[row]) ? [make("span", { class: "badge" }, "doubtful")] : []),
      make("span", { class: "facts" }, make("i", { class: `key k-${name}` }), `${name}, P ${probability[row].toFixed(2)}`),
      make("span", { class: "facts soft" }, flux[row] === null ? "not measured" : `${shown(flux[row], 3)} mJy`));
  }

  /* Return the source before or after `row` in the current list; null at its ends. */
  neighbour(row, step) {
    this.place ??= new Map(Array.from(this.rows, (value, i) => [value, i]));
    const place = this.place.get(row);
    return place === undefined ? null : this.rows[place + step] ?? null;
  }
}

/* Show the picture of a source in `element` once its file is loaded. */
function fillPicture(element, sources, place, panel, row) {
  claran.subject(place).then(
    (subject) => element.replaceChildren(drawPicture(sources, subject, panel, row, false)),
    (error) => element.replaceChildren(make("span", { class: "no-picture" }, error.message)),
  );
}

function isDoubtful(sources, mask) {
  return (mask & sources.doubtful) !== 0;
}

function flagNames(sources, mask) {
  return sources.flag_table.filter(({ bit }) => mask & bit);
}
