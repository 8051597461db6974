// One slide: its count, and the way to its cells and fields.

import { get, pathOf, watch } from "./api.js";
import { h } from "./dom.js";
import { countedBy, intervalBar, perMicrolitre, shareText } from "./count.js";
import { many } from "./numbers.js";

export async function slideView(main, id) {
  const top = h("div"), fields = h("section");
  main.append(h("h1", {}, id), top, fields);
  const draw = async (state) => {
    top.replaceChildren(...summary(state));
    if (state.state === "done") {
      const details = await get(pathOf("slides", id));
      fields.replaceChildren(h("h2", {}, "Fields"), fieldTable(details.field_rows));
    }
  };
  await draw(await get(pathOf("slides", id)));
  return watch(id, draw);
}

function summary(slide) {
  const { state, error, count, fields, fields_done: done } = slide;
  if (state === "failed") return [h("p", { class: "warnings", role: "alert" }, error)];
  if (state !== "done" || !count) {
    return [h("p", { role: "status" }, state === "queued" ? "Waiting for a worker." : `${state}: ${done} of ${fields} fields`),
      h("progress", { max: Math.max(1, fields), value: done, "aria-label": "Screening" })];
  }
  return [h("div", { class: "card verdict" },
    h("strong", {}, count.verdict),
    h("span", {}, count.why || shareText(slide)), h("span", {}, perMicrolitre(slide)),
    h("small", {}, countedBy(slide)), intervalBar(slide)),
  h("div", { class: "buttons" }, h("a", { class: "button main", href: `#/slides/${encodeURIComponent(slide.id)}/review` }, "Review cells")),
  tiles(count)];
}

function tiles(count) {
  const shown = [["red cells counted", count.red_cells], ["called infected", count.infected],
    ["for review", count.review], ["fields counted", count.fields]];
  return h("dl", { class: "tiles counts" }, shown.map(([name, value]) =>
    h("div", { class: "card" }, h("dt", {}, name), h("dd", {}, many(value)))));
}

function fieldTable(rows) {
  const titles = ["Field", "Red cells", "Infected", "For review", "Why it is not counted"];
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Fields" },
    h("table", {}, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, rows.map((row) => h("tr", {},
        h("th", { scope: "row" }, row.name), h("td", {}, many(row.red_cells)), h("td", {}, many(row.infected)),
        h("td", {}, many(row.review)), h("td", {}, row.why_not))))));
}
