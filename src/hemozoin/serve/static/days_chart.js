// Parasitaemia over days, each count with its 95 % interval, drawn as SVG in the width that there is.

import { h, svg } from "./dom.js";
import { percent } from "./numbers.js";

const HEIGHT = 280, MARGIN = { left: 64, right: 44, top: 14, bottom: 44 };

// Pixels between the points of slides of the same day, and least between two dates below the axis.
const BESIDE = 9, APART = 84;

const DAY = 86_400_000;

/** Return the whole days from one date to another, given as year-month-day. */
export const daysBetween = (first, date) => Math.round((Date.parse(date) - Date.parse(first)) / DAY);

/** Return a figure of `points`, sorted by date: {date, share: {value, low, high}, settled}. */
export function daysChart(points, width) {
  const last = Math.max(1, daysBetween(points[0].date, points.at(-1).date));
  const step = niceStep(Math.max(1e-5, ...points.map(({ share }) => share.high)) / 4);
  const top = step * Math.ceil(Math.max(1e-5, ...points.map(({ share }) => share.high)) / step);
  const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const onlyDay = points[0].date === points.at(-1).date;
  const xOf = (date) => MARGIN.left + inner.width * (onlyDay ? 0.5 : daysBetween(points[0].date, date) / last);
  const yOf = (share) => MARGIN.top + inner.height * (1 - share / top);
  const placed = placedBeside(points, xOf);
  return h("figure", { class: "days" },
    svg("svg", { role: "img", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-label": "Parasitaemia over days; the table below has the numbers" },
      ...yAxis(step, top, width, yOf), ...xAxis(points, xOf),
      svg("polyline", { class: "course", points: placed.map(({ x, share }) => `${x},${yOf(share.value)}`).join(" ") }),
      ...placed.map((point) => mark(point, yOf))),
    h("figcaption", {}, "% of red cells, with the 95 % interval. Filled: counted by network and person; hollow: by the network alone."));
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= least);
}

/** Return the points with their x; those of one day are side by side. */
function placedBeside(points, xOf) {
  return points.map((point) => {
    const sameDay = points.filter(({ date }) => date === point.date);
    return { ...point, x: xOf(point.date) + BESIDE * (sameDay.indexOf(point) - (sameDay.length - 1) / 2) };
  });
}

function yAxis(step, top, width, yOf) {
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, number) => number * step);
  return ticks.flatMap((share) => [
    svg("line", { class: "grid-line", x1: MARGIN.left, x2: width - MARGIN.right, y1: yOf(share), y2: yOf(share) }),
    svg("text", { x: MARGIN.left - 8, y: yOf(share) + 4, "text-anchor": "end" }, `${percent(share)} %`),
  ]);
}

function xAxis(points, xOf) {
  let free = -Infinity;
  return [...new Set(points.map(({ date }) => date))].flatMap((date) => {
    const x = xOf(date), bottom = HEIGHT - MARGIN.bottom;
    const tick = svg("line", { class: "tick", x1: x, x2: x, y1: bottom, y2: bottom + 5 });
    if (x < free) return [tick];
    free = x + APART;
    return [tick, svg("text", { x, y: bottom + 20, "text-anchor": "middle" }, `day ${daysBetween(points[0].date, date)}`),
      svg("text", { x, y: bottom + 36, "text-anchor": "middle", class: "date" }, date)];
  });
}

function mark({ x, share, settled, slide }, yOf) {
  return svg("g", {},
    svg("title", {}, `${slide}: ${percent(share.value)} % (${percent(share.low)} to ${percent(share.high)})`),
    svg("line", { class: "range", x1: x, x2: x, y1: yOf(share.high), y2: yOf(share.low) }),
    ...[share.low, share.high].map((end) => svg("line", { class: "range", x1: x - 5, x2: x + 5, y1: yOf(end), y2: yOf(end) })),
    svg("circle", { class: settled ? "point" : "point hollow", cx: x, cy: yOf(share.value), r: 5 }));
}
