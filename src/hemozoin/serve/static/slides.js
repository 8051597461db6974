// All slides: new ones are dropped here, and their progress is shown.

import { get, remove } from "./api.js";
import { h, say } from "./dom.js";
import { takeDrops } from "./drop.js";
import { shareOf, shareText } from "./count.js";
import { day, many } from "./numbers.js";
import { patientLink } from "./patient.js";
import { recordInputs } from "./record.js";
import { fileButtons, notPictures, uploadForm } from "./upload.js";

const REFRESH = 1000;

const COLUMNS = [
  ["Slide", (slide) => slide.id],
  ["Patient", (slide) => slide.record.patient || ""],
  ["State", (slide) => slide.state],
  ["Verdict", (slide) => slide.count?.verdict || ""],
  ["Parasitaemia", (slide) => shareOf(slide)?.value ?? -1],
  ["Looked at", (slide) => slide.reviewed?.answered ?? 0],
  ["Red cells", (slide) => slide.count?.red_cells ?? -1],
  ["Date", (slide) => slide.record.date || slide.created],
];

export async function slidesView(main) {
  const table = new SlideTable();
  const upload = newSlide(() => table.refresh());
  main.append(h("h1", {}, "Slides"), upload.element, table.element);
  await table.refresh();
  const timer = setInterval(() => table.refresh(), REFRESH);
  const end = takeDrops(upload.take);
  return () => { clearInterval(timer); end(); };
}

/** Return the part where a slide is uploaded: `take` gives it files. */
function newSlide(uploaded) {
  const form = h("div", { id: "new-slide" });
  const close = () => form.replaceChildren();
  const take = (files) => {
    if (files.length) form.replaceChildren(newSlideForm(files, close, uploaded));
  };
  const element = h("section", { class: "drop", "aria-label": "New slide" },
    h("p", { class: "lead" }, "Drop the pictures of a slide anywhere on this page, or choose them: photos, folders, zips."),
    fileButtons(take), form);
  return { element, take };
}

function newSlideForm(files, close, uploaded) {
  const name = h("label", {}, "Name of the slide, not of the patient ", h("input", { name: "name", maxlength: 80, autocomplete: "off" }));
  const more = h("details", {}, h("summary", {}, "About the slide (all optional)"), h("div", { class: "record" }, recordInputs()));
  const sent = (created) => {
    say(`Slide ${created.id} is uploaded.${notPictures(created.passed_over)}`);
    uploaded();
  };
  return uploadForm(files, { path: "/slides", title: "", inputs: [name, more], button: "Screen", sent, close });
}

class SlideTable {
  constructor() {
    this.slides = [];
    this.order = [7, -1];
    this.search = h("input", { type: "search", id: "search", oninput: () => this.draw() });
    this.body = h("tbody");
    this.head = h("tr");
    this.empty = h("p", { class: "lead", hidden: true }, "No slide yet.");
    this.element = h("section", {},
      h("label", { class: "search" }, "Search ", this.search),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Slides" },
        h("table", { class: "slides" }, h("thead", {}, this.head), this.body)), this.empty);
  }

  async refresh() {
    let slides;
    try {
      slides = await get("/slides");
    } catch (error) {
      this.empty.hidden = false;
      this.empty.textContent = error.message;
      return;
    }
    if (JSON.stringify(slides) !== JSON.stringify(this.slides) || !slides.length) {
      this.slides = slides;
      this.draw();
    }
  }

  draw() {
    const words = this.search.value.toLowerCase().split(/\s+/);
    const [column, direction] = this.order;
    const key = COLUMNS[column][1];
    const shown = this.slides
      .filter((slide) => words.every((word) => `${slide.id} ${Object.values(slide.record).join(" ")} ${slide.count?.verdict} ${slide.state}`.toLowerCase().includes(word)))
      .sort((a, b) => direction * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    this.head.replaceChildren(...COLUMNS.map(([title], number) => this.title(title, number)), h("td"));
    const inRow = (row) => [...(row?.querySelectorAll("a, button") || [])];
    const row = document.activeElement?.closest?.("tr[data-slide]"), place = inRow(row).indexOf(document.activeElement);
    this.body.replaceChildren(...shown.map((slide) => this.row(slide)));
    if (row) inRow(this.body.querySelector(`tr[data-slide="${CSS.escape(row.dataset.slide)}"]`))[place]?.focus();
    this.empty.hidden = shown.length > 0;
    this.empty.textContent = this.slides.length ? "No slide matches." : "No slide yet.";
  }

  title(title, number) {
    const [column, direction] = this.order;
    const sort = column === number ? (direction > 0 ? "ascending" : "descending") : "none";
    return h("th", { scope: "col", "aria-sort": sort }, h("button", {
      class: "plain",
      onclick: () => { this.order = [number, column === number ? -direction : 1]; this.draw(); this.head.children[number].firstChild.focus(); },
    }, title));
  }

  row(slide) {
    const { count } = slide;
    return h("tr", { "data-slide": slide.id },
      h("th", { scope: "row" }, h("a", { href: `#/slides/${encodeURIComponent(slide.id)}` }, slide.id)),
      h("td", {}, patientLink(slide.record.patient)),
      h("td", {}, stateOf(slide)),
      h("td", {}, count ? count.verdict : ""),
      h("td", {}, shareText(slide)),
      h("td", {}, slide.reviewed ? `${many(slide.reviewed.answered)} cells` : ""),
      h("td", {}, count ? many(count.red_cells) : ""),
      h("td", {}, day(slide.record.date || slide.created)),
      h("td", {}, h("button", { class: "plain", "aria-label": `Delete ${slide.id}`, onclick: () => this.remove(slide) }, "Delete")));
  }

  async remove(slide) {
    if (!confirm(`Delete slide ${slide.id}, its pictures, results and reviews?`)) return;
    try {
      await remove(`/slides/${encodeURIComponent(slide.id)}`);
      say(`Slide ${slide.id} is deleted.`);
    } catch (error) {
      say(error.message);
    }
    await this.refresh();
  }
}

function stateOf(slide) {
  if (slide.error) return slide.error;
  if (slide.state === "done") return "screened";
  if (slide.state !== "running") return slide.state;
  return h("span", { class: "progress" },
    h("progress", { max: slide.fields, value: slide.fields_done, "aria-label": `${slide.id} screened` }),
    ` ${slide.fields_done} of ${slide.fields} fields`);
}
