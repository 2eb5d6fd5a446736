/* Pictures with what is drawn over them.  A picture is a window into a sheet; boxes, contours and marks are
   lines in the pixels of the subject's frame. */
"use strict";

const PANEL_TEXT = {
  radio: "Radio, asinh stretch",
  infrared: "Infrared with radio contours",
  fused: "Fused, as the detector sees it",
};

/* Draw a subject: `panel` is radio, infrared or fused; `row` the gallery row that stands out, if any;
   `whole` says whether everything is drawn, or the row's box alone. */
function drawPicture(sources, subject, panel, row, whole) {
  const { size_px: size, pixel_scale_arcsec: scale } = sources.frame;
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
  if (whole) marks.append(...drawScale(size, scale));
  return makeSvg("svg", {
    class: `picture p-${panel}`, viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": describePicture(subject, panel, own),
  }, sheet, marks, ...missingText(subject, panel, size));
}

function describePicture(subject, panel, own) {
  const what = own ? `, with the box of ${own.id}, class ${own.morphology}` : "";
  return `${PANEL_TEXT[panel]}: subject ${subject.id}${what}`;
}

function drawBox([x, y, width, height], kind) {
  const place = { x, y, width, height };
  return [makeSvg("rect", { class: "under", ...place }), makeSvg("rect", { class: kind, ...place })];
}

/* Components as crosses; hosts as circles, the best one with a dot. */
function drawMarks(own, panel) {
  const crosses = panel === "infrared" ? [] : own.components.map(([x, y]) => {
    const d = `M${x - 2.5} ${y}h5M${x} ${y - 2.5}v5`;
    return [makeSvg("path", { class: "under", d }), makeSvg("path", { class: "component", d })];
  });
  const others = panel === "radio" ? [] : own.hosts.map(([cx, cy]) => [makeSvg("circle", { class: "candidate", cx, cy, r: 2.5 })]);
  const host = own.host ? [drawHost(own.host)] : [];
  return [...crosses, ...others, ...host].flat();
}

function drawHost([cx, cy]) {
  return [
    makeSvg("circle", { class: "under", cx, cy, r: 4 }),
    makeSvg("circle", { class: "host", cx, cy, r: 4 }),
    makeSvg("circle", { class: "host dot", cx, cy, r: 0.6 }),
  ];
}

/* A bar of half an arcminute, or of what fits. */
function drawScale(size, scale) {
  const arcsec = [60, 30, 10, 5, 2, 1].find((length) => length / scale < size / 3) ?? 1;
  const d = `M6 ${size - 6}h${arcsec / scale}`;
  return [
    makeSvg("path", { class: "under", d }),
    makeSvg("path", { class: "scale", d }),
    makeSvg("text", { x: 6, y: size - 9, "font-size": size / 20 }, `${arcsec}\u2033`),
  ];
}

function missingText(subject, panel, size) {
  if ((panel === "radio" && subject.radio) || (panel === "infrared" && subject.infrared) || panel === "fused") return [];
  const attributes = { x: size / 2, y: size / 2, "text-anchor": "middle", "font-size": size / 14 };
  return [makeSvg("text", attributes, `no ${panel} image`)];
}
