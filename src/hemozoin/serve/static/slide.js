// One slide: its count step by step, its record, and the way to its cells, fields and files.

import { get, pathOf, post, put, remove, urlOf, watch } from "./api.js";
import { countedBy, intervalBar, perMicrolitre, shareText } from "./count.js";
import { h, problem, say } from "./dom.js";
import { takeDrops } from "./drop.js";
import { MoreFields } from "./more_fields.js";
import { many, percent, twoDigits } from "./numbers.js";
import { patientLink } from "./patient.js";
import { recordInputs, recordOf } from "./record.js";

const FILES = [["print.html", "Print (one page)"], ["report.html", "Report"], ["slide.xlsx", "Workbook (Excel)"], ["cells.csv", "Cells (CSV)"], ["clumps.csv", "Clumps (CSV)"], ["fields.csv", "Fields (CSV)"], ["slide.json", "Count (JSON)"], ["cells.coco.json", "Outlines (COCO)"], ["reviews.csv", "Reviews (CSV)"]];

export async function slideView(main, id) {
  const slide = await get(pathOf("slides", id));
  const top = h("div"), rest = h("div"), more = new MoreFields(id);
  main.append(h("h1", {}, id), top, more.element, rest);
  let last = "";
  const draw = async (slide) => {
    const { patient, date } = slide.record;
    more.draw(slide);
    top.replaceChildren(patient ? h("p", {}, "Patient ", patientLink(patient), date ? `, ${date}` : "") : "", ...summary(slide));
    const key = JSON.stringify([slide.state, slide.record, slide.count]);
    if (key !== last) {
      last = key;
      const details = await get(pathOf("slides", id));
      rest.replaceChildren(...(slide.count ? [fieldSection(id, details.field_rows), filesSection(slide, details)] : []), recordSection(slide), changesSection(details.changes));
    }
  };
  const endDrops = takeDrops((files) => more.take(files));
  await draw(slide);
  if (slide.stale) post(pathOf("slides", id, "recount"), null).catch((error) => say(error.message));
  const stop = watch(id, (slide) => draw(slide).catch((error) => top.replaceChildren(problem(error))));
  return () => { stop(); endDrops(); };
}

function summary(slide) {
  const { id, state, error, count, fields, fields_done: done } = slide;
  const screening = (method) => () => method(pathOf("slides", id, "screening")).catch((failed) => say(failed.message));
  const again = h("button", { onclick: screening((path) => post(path, null)) }, "Screen again");
  if (state === "failed") return [h("p", { class: "warnings", role: "alert" }, error), again];
  if (state === "cancelled") return [h("p", {}, "The screening was cancelled; what is done is kept."), again];
  if (state !== "done" || !count) {
    return [h("p", { role: "status" }, state === "queued" ? "Waiting for a worker." : `Screening: ${done} of ${fields} fields`),
      h("progress", { max: Math.max(1, fields), value: done, "aria-label": "Screening" }),
      h("div", { class: "buttons" }, h("button", { onclick: screening(remove) }, "Cancel"))];
  }
  return [
    error ? h("p", { class: "warnings", role: "alert" }, error) : "",
    h("div", { class: "card verdict" }, h("strong", {}, count.verdict),
      count.why ? h("span", {}, count.why) : "", h("span", {}, shareText(slide)), h("span", {}, perMicrolitre(slide), perMicrolitre(slide) && ", with one parasite per infected cell"),
      h("small", {}, countedBy(slide)), intervalBar(slide)),
    slide.other_settings.length > 0 && h("div", { class: "warnings" },
      h("p", {}, `This slide was screened with ${settingsText(slide.other_settings)} than new slides are. Screen it anew before you change it or compare it with them. The answers of all readers are kept: they hold by place.`),
      h("button", { onclick: screening((path) => post(path, null)) }, "Screen anew")),
    h("div", { class: "buttons" }, h("a", { class: "button main", href: `#${pathOf("slides", id)}/review` }, "Review cells")),
    steps(slide)].filter(Boolean);
}

const SETTINGS = { hemozoin: "another version of hemozoin", model: "another network", precision: "another precision", diameter: "a given diameter of red cells" };

const settingsText = (names) => names.map((name) => SETTINGS[name] || name).join(" and ");

/** The arithmetic, step by step. */
function steps({ count, reviewed }) {
  const rows = [
    ["Red cells counted", many(count.red_cells)],
    ["Called infected", `${many(count.infected)}${count.raw == null ? "" : `, ${percent(count.raw)} % of red cells`}`],
    ["For review", many(count.review)],
    count.expected_false_positives != null && ["False positives expected among them", twoDigits(count.expected_false_positives)],
    count.machine_parasitaemia != null && ["Parasitaemia, network alone", `${percent(count.machine_parasitaemia)} % (${percent(count.machine_parasitaemia_low)} to ${percent(count.machine_parasitaemia_high)})`],
    reviewed && ["Looked at by readers", `${many(reviewed.answered)} cells: ${reviewed.parasitized} parasitized, ${reviewed.uninfected} uninfected, ${reviewed.not_red_cells} not red cells, ${reviewed.cannot_tell} can't tell`],
    reviewed?.settled && ["Parasitaemia, network and person", `${percent(reviewed.parasitaemia.value)} % (${percent(reviewed.parasitaemia.low)} to ${percent(reviewed.parasitaemia.high)})`],
    reviewed?.agreements.length > 0 && ["Readers agree", reviewed.agreements.map(({ readers, cells, same, kappa }) => `${readers.join(" and ")} on ${same} of ${cells}${kappa == null ? "" : ` (κ ${kappa.toFixed(2)})`}`).join("; ")],
    count.manual_parasitaemia != null && ["Counted by eye", `${percent(count.manual_parasitaemia)} %, ${twoDigits(count.manual_parasites_per_ul)} parasites/µL, with one parasite per infected cell`],
    ["Red cells per µL", many(count.red_cells_per_ul)],
    ["Fields counted", `${count.fields}; not counted: ${count.fields_flawed} with flaws, ${count.fields_unreadable} unreadable, ${count.fields_repeated} repeated`],
  ].filter(Boolean);
  return h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function fieldSection(id, rows) {
  const titles = ["Field", "Red cells", "Infected", "For review", "Why it is not counted"];
  return h("section", {}, h("h2", {}, "Fields"),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Fields" },
      h("table", {}, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, rows.map((row) => h("tr", {},
          h("th", { scope: "row" }, h("a", { href: `#${pathOf("slides", id, "fields", row.field)}` }, row.name)), h("td", {}, many(row.red_cells)), h("td", {}, many(row.infected)),
          h("td", {}, many(row.review)), h("td", {}, row.why_not)))))));
}

function filesSection({ id }, { files }) {
  return h("section", {}, h("h2", {}, "Report and tables"), h("ul", { class: "files" },
    FILES.filter(([name]) => name === "slide.xlsx" || files.includes(name)).map(([name, title]) => h("li", {}, h("a", { href: urlOf("slides", id, "files", name), target: name.endsWith(".html") ? "_blank" : null }, title)))));
}

function recordSection(slide) {
  if (!slide.uploaded) return "";  // its record is beside its pictures, elsewhere
  const problems = h("div"), form = h("form", { class: "record" }, recordInputs(slide.record, true), h("div", { class: "buttons" }, h("button", {}, "Save the record")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await put(pathOf("slides", slide.id, "record"), recordOf(form, slide.record));
      problems.replaceChildren();
      say("The record is saved; the report is written again.");
    } catch (error) {
      problems.replaceChildren(problem(error));
    }
  });
  return h("section", {}, h("h2", {}, "Record"), problems, form);
}

function changesSection(changes) {
  return h("section", {}, h("h2", {}, "Who changed what"), h("ul", { class: "changes" },
    changes.map(({ time, reader, action }) => h("li", {}, `${time.slice(0, 16).replace("T", " ")} UTC, ${reader || "no name"}: ${action}`))));
}
