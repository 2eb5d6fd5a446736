/* The panel with all columns and pictures of one source; its address ends in #source_id. */
"use strict";

class Detail {
  constructor(sources, gallery) {
    this.sources = sources;
    this.gallery = gallery;
    this.row = null;
    this.dialog = document.getElementById("detail");
    this.body = document.getElementById("detail-body");
    this.places = null;
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("keydown", (event) => {
      if (event.target.matches("input") || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowLeft") this.step(-1);
      if (event.key === "ArrowRight") this.step(1);
    });
    document.getElementById("detail-close").addEventListener("click", () => this.dialog.close());
    document.getElementById("detail-before").addEventListener("click", () => this.step(-1));
    document.getElementById("detail-after").addEventListener("click", () => this.step(1));
    this.body.addEventListener("change", (event) => this.setTool(event.target.name, event.target.checked));
    this.tools = { marks: true, zoom: false };
    window.addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  /* Open the source that the address names; ignore the other anchors of the page. */
  follow() {
    const row = this.rowOf(location.hash.slice(1));
    if (row === undefined) { if (this.dialog.open) this.dialog.close(); } else this.show(row);
  }

  rowOf(hash) {
    this.places ??= new Map(this.sources.id.map((id, row) => [id, row]));
    try {
      return this.places.get(decodeURIComponent(hash)) ?? this.places.get(hash);
    } catch {
      return undefined; // not a source of this page
    }
  }

  step(by) {
    const row = this.gallery.neighbour(this.row, by);
    if (row === null) return;
    history.replaceState(null, "", linkTo(this.sources.id[row]));
    this.show(row);
  }

  closed() {
    this.row = null;
    if (this.rowOf(location.hash.slice(1)) !== undefined) history.replaceState(null, "", location.href.split("#")[0]);
  }

  async show(row) {
    const { id, place } = this.sources;
    this.row = row;
    document.getElementById("detail-title").textContent = id[row];
    document.getElementById("detail-before").disabled = this.gallery.neighbour(row, -1) === null;
    document.getElementById("detail-after").disabled = this.gallery.neighbour(row, 1) === null;
    if (!this.dialog.open) {
      this.body.replaceChildren();
      this.dialog.showModal();
    }
    let parts;
    try {
      const [values, subject] = await Promise.all([claran.row(row), place[row] < 0 ? null : claran.subject(place[row])]);
      parts = [this.headline(values), this.pictures(values, subject), this.numbers(values)];
    } catch (error) {
      parts = [make("p", { class: "bad" }, `This source cannot be shown: ${error.message}.`)];
    }
    if (this.row !== row) return; // another source was opened in the meantime
    this.body.replaceChildren(...parts);
    this.useTools();
    this.body.scrollTop = 0;
    this.dialog.dataset.source = id[row];
  }

  headline(values) {
    const flags = flagNames(this.sources, values.flags);
    const facts = [
      `P ${values.probability.toFixed(2)}`,
      `one source ${values.source_probability.toFixed(2)}`,
      values.integrated_flux === null ? "flux density not measured" : `${shown(values.integrated_flux)} mJy`,
      values.largest_angular_size === null ? null : `${shown(values.largest_angular_size, 3)}\u2033 long`,
      values.host_reliability > 0 ? `host of reliability ${values.host_reliability.toFixed(2)}` : "no infrared host detected",
    ].filter(Boolean);
    return make("div", { class: "headline" },
      ...this.doubt(values),
      make("p", {}, make("span", { class: "class-tag" }, make("i", { class: `key k-${values.morphology}` }), values.morphology), ` ${facts.join(" \u00b7 ")}`),
      ...(flags.length ? [make("p", {}, ...flags.flatMap(({ name }) => [make("span", { class: "tag warn" }, name), " "]))] : []));
  }

  /* Say how else the components of a doubtful source may belong together. */
  doubt(values) {
    if (!isDoubtful(this.sources, values.flags)) return [];
    const groups = values.second_grouping.split("|").map((group) => `component${group.includes(" ") ? "s" : ""} ${group.split(" ").join(" and ")}`);
    const text = values.second_grouping === "" ? "no source at all" : `${groups.join("; ")} (numbered from 0, as below)`;
    return [make("p", { class: "doubt" }, make("span", { class: "badge" }, "doubtful"),
      ` Next best grouping: ${text}, probability ${shown(values.second_probability, 2)}.`)];
  }

  pictures(values, subject) {
    if (!subject) {
      return make("p", { class: "hint" }, "This source has no pictures: the report has them for a selection of sources. For more, increase ",
        make("code", {}, "report.gallery_size"), " in the settings (or set it to ", make("code", {}, "all"), ") and write the report again.");
    }
    const figures = this.sources.panels.map((panel) => make("figure", {},
      drawPicture(this.sources, subject, panel, this.row, true),
      make("figcaption", {}, panel === "fused" ? `${PANEL_TEXT.fused} (${this.sources.method})` : PANEL_TEXT[panel])));
    const tools = Object.entries({ marks: "show overlays", zoom: "zoom to the source" }).map(([name, text]) => {
      const box = make("input", { type: "checkbox", name });
      box.checked = this.tools[name];
      return make("label", { class: "choice small" }, box, ` ${text}`);
    });
    const width = (this.sources.frame.size_px * this.sources.frame.pixel_scale_arcsec * subject.scale) / 60;
    const smoothed = subject.scale > 1 ? `, smoothed to ${subject.scale} beams` : "";
    return make("div", {}, make("div", { class: "pictures" }, ...figures),
      make("div", { class: "picture-tools" }, ...tools),
      make("p", { class: "small soft" },
        `Subject ${subject.id} (${subject.split}), ${shown(width, 3)} arcmin wide${smoothed}, north up, east to the left. `,
        "Thick box: this source; thin boxes: other sources; dashed white boxes: true sources. Crosses: radio components; circle with dot: host; other circles: host candidates."));
  }

  /* Show or hide the overlays, or zoom; the setting is kept from source to source. */
  setTool(name, on) {
    this.tools[name] = on;
    this.useTools();
  }

  useTools() {
    this.dialog.classList.toggle("no-marks", !this.tools.marks);
    this.dialog.classList.toggle("zoomed", this.tools.zoom);
    for (const picture of this.body.querySelectorAll(".picture")) {
      picture.setAttribute("viewBox", this.tools.zoom ? picture.dataset.close : picture.dataset.all);
    }
  }

  numbers(values) {
    const tables = this.sources.groups.map((group) => {
      const columns = this.sources.columns.filter((column) => column.group === group);
      if (!columns.length) return "";
      const content = group === "Flags" ? this.flags(values) : columns.some((column) => column.list) ? listTable(columns, values) : valueTable(columns, values);
      return make("section", {}, make("h4", {}, group), content);
    });
    return make("div", { class: "groups" }, ...tables);
  }

  flags(values) {
    const flags = flagNames(this.sources, values.flags);
    if (!flags.length) return make("p", { class: "soft" }, "none (flags = 0)");
    return make("ul", {}, ...flags.map(({ bit, name, text }) => make("li", {}, make("code", {}, name), ` (${bit}): ${text}`)));
  }
}

/* Format positions to a milliarcsecond, other numbers to four digits. */
function columnText(column, value) {
  if (typeof value === "number" && column.unit === "deg" && column.name !== "position_angle") return value.toFixed(6);
  return shown(value);
}

function valueTable(columns, values) {
  const rows = columns.map((column) => make("tr", {},
    make("th", { scope: "row" }, make("code", {}, column.name), make("span", { class: "about" }, column.text)),
    make("td", { class: String(values[column.name]).length <= SHORT ? "short" : "long" }, columnText(column, values[column.name]), values[column.name] === null ? "" : make("span", { class: "unit" }, ` ${column.unit}`))));
  return make("table", {}, make("tbody", {}, ...rows));
}

/* Allow line breaks after the underscores of a name. */
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, make("wbr")]);
}

/* Return a table of list columns, one line per entry. */
function listTable(columns, values) {
  const count = Math.max(...columns.map((column) => (values[column.name] ?? []).length));
  if (!count) return make("p", { class: "soft" }, "none");
  const head = columns.map((column) => make("th", { scope: "col", title: column.text }, make("code", {}, ...breakable(column.name)), column.unit ? make("span", { class: "unit" }, ` ${column.unit}`) : ""));
  const line = (i) => make("tr", {}, ...columns.map((column) => make("td", { class: "short" }, columnText(column, values[column.name][i]))));
  return make("div", { class: "scroll" }, make("table", { class: "entries" },
    make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...Array.from({ length: count }, (_, i) => line(i)))));
}

const MAX_BLANK = 24;
const SHORT = 22; // maximum characters of a value in one line

/* Show the subjects without a component. */
async function showBlank(sources) {
  const box = document.getElementById("blank-subjects");
  if (!sources.blank.length) return;
  document.getElementById("blank").hidden = false;
  for (const place of sources.blank.slice(0, MAX_BLANK)) {
    const figure = make("figure", {});
    box.append(figure);
    const subject = await claran.subject(place);
    figure.append(drawPicture(sources, subject, "radio", -1, true), make("figcaption", {}, subject.id));
  }
}

claran.load("sources").then((sources) => {
  document.getElementById("gallery-wait").hidden = true;
  document.getElementById("gallery-parts").hidden = false;
  if (matchMedia("(max-width: 40rem)").matches) document.getElementById("filter-box").open = false;
  claran.gallery = new Gallery(sources);
  claran.detail = new Detail(sources, claran.gallery);
  return showBlank(sources);
}).catch((error) => {
  document.getElementById("gallery-wait").textContent = `The gallery cannot be shown: ${error.message}.`;
});
