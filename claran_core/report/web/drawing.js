/* Pictures with their overlays.  A picture is a part of a sheet; boxes, contours and marks are lines in the pixels
   of the subject's frame. */
"use strict";

const PANEL_TEXT = {
  radio: "Radio, asinh stretch",
  infrared: "Infrared with radio contours",
  fused: "Fused image, the detector's input",
};

/* Draw a subject: `panel` is radio, infrared or fused; `row` is the gallery row to highlight, if any; `whole` selects
   all overlays instead of the row's box alone. */
function drawPicture(sources, subject, panel, row, whole) {
  const { size_px: size, pixel_scale_arcsec: finest } = sources.frame;
  const scale = finest * subject.scale;
  const step = size + 2 * sources.pad_px;
  const sheet = makeSvg("svg", {
    width: size, height: size, viewBox: `0 ${subject.sheetRow * step + sources.pad_px} ${size} ${size}`,
  }, makeSvg("image", {
    href: `${subject.sheet}.${panel}.webp`, width: size, height: step * subject.sheetRows, preserveAspectRatio: "none",
  }));
  const marks = makeSvg("g", { class: "marks" });
  if (panel === "infrared") marks.append(...subject.contours.map((path) => makeSvg("path", { class: "contour", d: path })));
  if (whole) {
    marks.append(...subject.truth.flatMap((source) => drawBox(source.box, "true")));
    marks.append(...subject.sources.filter((source) => source.row !== row).flatMap((source) => drawBox(source.box, `other s-${source.morphology}`)));
  }
  const own = subject.sources.find((source) => source.row === row && row >= 0);
  if (own) marks.append(...drawBox(own.box, `found s-${own.morphology}`));
  if (own && whole) marks.append(...drawMarks(own, panel));
  const all = [0, 0, size];
  const close = own ? near(own.box, size) : all;
  if (whole) marks.append(drawScale(all, scale, "scale-all"), drawScale(close, scale, "scale-close"));
  return makeSvg("svg", {
    class: `picture p-${panel}`, viewBox: viewBox(all), "data-all": viewBox(all), "data-close": viewBox(close),
    role: "img", "aria-label": describePicture(subject, panel, own),
  }, sheet, marks, ...missingText(subject, panel, size));
}

function viewBox([x, y, side]) {
  return `${x} ${y} ${side} ${side}`;
}

/* Return corner and side of a square around a box, three times as wide. */
function near([x, y, width, height], size) {
  const side = Math.min(size, Math.max(3 * width, 3 * height, 36));
  const start = (low, extent) => Math.min(Math.max(low + extent / 2 - side / 2, 0), size - side);
  return [start(x, width), start(y, height), side];
}

function describePicture(subject, panel, own) {
  const what = own ? `, with the box of ${own.id}, class ${own.morphology}` : "";
  return `${PANEL_TEXT[panel]}: subject ${subject.id}${what}`;
}

function drawBox([x, y, width, height], kind) {
  const place = { x, y, width, height };
  return [makeSvg("rect", { class: "under", ...place }), makeSvg("rect", { class: kind, ...place })];
}

/* Draw components as crosses, and hosts as circles, the best one with a dot. */
function drawMarks(own, panel) {
  const crosses = panel === "infrared" ? [] : own.components.map(([x, y]) => {
    const d = `M${x - 2} ${y}h4M${x} ${y - 2}v4`;
    return [makeSvg("path", { class: "under", d }), makeSvg("path", { class: "component", d })];
  });
  const others = panel === "radio" ? [] : own.hosts.map(([cx, cy]) => [makeSvg("circle", { class: "candidate", cx, cy, r: 2 })]);
  const host = own.host ? [drawHost(own.host)] : [];
  return [...crosses, ...others, ...host].flat();
}

function drawHost([cx, cy]) {
  return [
    makeSvg("circle", { class: "under", cx, cy, r: 3 }),
    makeSvg("circle", { class: "host", cx, cy, r: 3 }),
    makeSvg("circle", { class: "host dot", cx, cy, r: 0.6 }),
  ];
}

/* Draw a scale bar in the lower left corner. */
function drawScale([x, y, side], scale, kind) {
  const arcsec = [600, 300, 120, 60, 30, 20, 10, 5, 2, 1].find((length) => length / scale < side / 2.5) ?? 1;
  const [left, bottom] = [x + side / 22, y + side - side / 22];
  const d = `M${left} ${bottom}h${arcsec / scale}`;
  return makeSvg("g", { class: kind },
    makeSvg("path", { class: "under", d }),
    makeSvg("path", { class: "scale", d }),
    makeSvg("text", { x: left, y: bottom - side / 44, "font-size": side / 20 }, arcsec < 120 ? `${arcsec}\u2033` : `${arcsec / 60}\u2032`));
}

function missingText(subject, panel, size) {
  if ((panel === "radio" && subject.radio) || (panel === "infrared" && subject.infrared) || panel === "fused") return [];
  const attributes = { x: size / 2, y: size / 2, "text-anchor": "middle", "font-size": size / 14 };
  return [makeSvg("text", attributes, `no ${panel} image`)];
}
