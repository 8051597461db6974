// One cell after another, with its surroundings: a key is an answer, and the next cell is there.

import { get, pathOf, reader, urlOf } from "./api.js";
import { Answers } from "./answers.js";
import { ANSWERS, answerKey } from "./answer_keys.js";
import { countedBy, intervalBar, perMicrolitre, shareText } from "./count.js";
import { h, problem, say, svg } from "./dom.js";

const WORKLISTS = { called: "Called infected", close: "Too close to call", audit: "Random sample of 150" };

// Cells whose pictures are loaded before they are wanted, and those in the strip.
const AHEAD = 6, STRIP = 8;

// The picture of a cell shows this many diameters; the ring is a little larger than the cell.
const SHOWN = 4, RING = 1.35;

export async function reviewView(main, id, name = "called") {
  if (!reader.name) {
    main.append(h("h1", {}, id), askForName(() => location.reload()));
    return;
  }
  const slide = await get(pathOf("slides", id));
  const cells = await get(`${pathOf("slides", id, "cells")}?worklist=${name}&reader=${encodeURIComponent(reader.name)}`);
  const review = new Review(main, slide, name, cells);
  review.draw();
  return () => review.close();
}

function askForName(given) {
  const input = h("input", { maxlength: 80, required: true, autocomplete: "name" });
  const form = h("form", { class: "card narrow" },
    h("label", {}, "Your name or initials, which are kept with each answer ", input), h("button", { class: "main" }, "Review"));
  form.addEventListener("submit", (event) => { event.preventDefault(); reader.name = input.value; given(); });
  queueMicrotask(() => input.focus());
  return form;
}

class Review {
  constructor(main, slide, worklist, cells) {
    Object.assign(this, { slide, worklist, cells });
    this.answers = new Answers(slide.id, (reviewed) => { slide.reviewed = reviewed; this.drawCount(); }, (error) => this.drawProblem(error));
    this.done = [];  // places of the cells answered here, for undo
    this.names = Object.fromEntries(slide.field_rows.map((row) => [row.field, row.name]));
    this.loaded = new Map();
    this.place = Math.max(0, cells.findIndex((cell) => !cell.reviews.length));
    this.key = (event) => this.pressed(event);
    addEventListener("keydown", this.key);
    this.parts(main);
  }

  parts(main) {
    const { id } = this.slide;
    this.image = h("img", { alt: "", width: 560, height: 560 });
    this.ring = svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true", class: "ring" });
    this.where = h("p", { class: "where" });
    this.machine = h("p", { class: "lead machine-says" });
    this.problems = h("div");
    this.count = h("div", { class: "card", "aria-label": "Count", role: "region" });
    this.strip = h("ol", { class: "strip", "aria-label": "The next cells" });
    this.bar = h("progress", { "aria-label": "Cells answered" });
    this.state = h("span", {});
    this.buttons = ANSWERS.map(([, key, answer, text]) => h("button", {
      "data-answer": answer, "aria-keyshortcuts": key, onclick: () => this.answer(answer),
    }, h("kbd", {}, key), ` ${text}`));
    main.append(
      h("h1", {}, h("a", { href: `#/slides/${encodeURIComponent(id)}` }, id), " review"),
      h("nav", { class: "tabs", "aria-label": "Worklists" }, Object.entries(WORKLISTS).map(([name, title]) =>
        h("a", { href: `#/slides/${encodeURIComponent(id)}/review/${name}`, "aria-current": name === this.worklist ? "page" : null }, title))),
      this.problems,
      this.cells.length ? h("div", { class: "review" },
        h("div", {}, h("div", { class: "cell" }, this.image, this.ring), this.where, this.machine),
        h("div", {},
          h("div", { class: "answers", role: "group", "aria-label": "Answers" }, this.buttons),
          h("div", { class: "answers moves", role: "group", "aria-label": "Moves" },
            h("button", { "aria-keyshortcuts": "Z", onclick: () => this.undo() }, h("kbd", {}, "Z"), " Undo"),
            h("button", { "aria-keyshortcuts": "ArrowLeft", onclick: () => this.go(-1) }, h("kbd", {}, "←"), " Back"),
            h("button", { "aria-keyshortcuts": "ArrowRight", onclick: () => this.go(1) }, h("kbd", {}, "→"), " Next")),
          h("p", { class: "so-far" }, this.bar, " ", this.state), this.count, this.strip))
        : h("p", {}, "This list has no cells."));
  }

  draw() {
    if (!this.cells.length) return;
    const cell = this.cells[this.place];
    this.image.src = this.load(this.place).src;
    this.image.alt = `Cell ${cell.cell} of ${this.names[cell.field] || cell.field} with its surroundings`;
    this.drawRing(cell);
    const given = cell.reviews[0]?.answer;
    for (const button of this.buttons) button.setAttribute("aria-pressed", button.dataset.answer === given);
    this.where.textContent = `Cell ${cell.cell} of ${this.names[cell.field] || cell.field}${given ? `: you said ${given}` : ""}`;
    this.machine.textContent = this.worklist === "audit" && !given ? ""  // a reader should not be led
      : `The network: p ${cell.p_parasitized.toFixed(2)}${cell.reason ? `, ${cell.reason}` : ""}`;
    const answered = this.cells.filter((one) => one.reviews.length).length;
    this.bar.max = this.cells.length;
    this.bar.value = answered;
    this.state.textContent = `${answered} of ${this.cells.length} answered`;
    this.drawStrip();
    this.drawCount();
    for (let ahead = 1; ahead <= AHEAD; ahead += 1) if (this.cells[this.place + ahead]) this.load(this.place + ahead);
  }

  drawRing(cell) {
    const side = SHOWN * this.diameter(cell) / 100;
    const [rx, ry] = [cell.width, cell.height].map((length) => RING * length / 2 / side);
    this.ring.replaceChildren(svg("ellipse", { cx: 50, cy: 50, rx, ry, class: "under" }), svg("ellipse", { cx: 50, cy: 50, rx, ry }));
  }

  drawStrip() {
    const places = [...Array(STRIP).keys()].map((ahead) => this.place + 1 + ahead).filter((place) => this.cells[place]);
    this.strip.replaceChildren(...places.map((place) => h("li", {},
      h("button", { class: "plain", "aria-label": `Cell ${this.cells[place].cell} of ${this.names[this.cells[place].field] || this.cells[place].field}`, onclick: () => this.show(place) },
        h("img", { src: this.load(place).src, alt: "", width: 64, height: 64, class: this.cells[place].reviews.length ? "answered" : "" })))));
  }

  drawCount() {
    this.count.replaceChildren(
      h("strong", { class: "share" }, shareText(this.slide) || "no count"),
      h("span", {}, perMicrolitre(this.slide), perMicrolitre(this.slide) && ", with one parasite per infected cell"),
      h("small", {}, countedBy(this.slide)), intervalBar(this.slide));
  }

  drawProblem(error) {
    this.problems.replaceChildren(...(error ? [problem(error)] : []));
  }

  diameter(cell) { return Math.max(cell.width, cell.height); }

  /** Return the picture of a cell, which is loaded from now on. */
  load(place) {
    if (!this.loaded.has(place)) {
      const cell = this.cells[place], picture = new Image();
      const query = new URLSearchParams({ x: cell.x + cell.width / 2, y: cell.y + cell.height / 2, diameter: this.diameter(cell) });
      picture.src = `${urlOf("slides", this.slide.id, "fields", cell.field, "cell.jpg")}?${query}`;
      this.loaded.set(place, picture);
      if (this.loaded.size > 60) this.loaded.delete(this.loaded.keys().next().value);
    }
    return this.loaded.get(place);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName) || !this.cells.length) return;
    const answer = answerKey(event);
    const moves = { z: () => this.undo(), arrowleft: () => this.go(-1), arrowright: () => this.go(1) };
    const move = answer ? () => this.answer(answer) : moves[event.key.toLowerCase()];
    if (move) {
      event.preventDefault();
      move();
    }
  }

  answer(answer) {
    const cell = this.cells[this.place];
    this.give(cell, answer);
    this.done.push(this.place);
    const later = this.cells.findIndex((one, place) => place > this.place && !one.reviews.length);
    if (later >= 0) this.place = later;
    else if (this.cells.every((one) => one.reviews.length)) say("Every cell of this list is answered.");
    else this.place = this.cells.findIndex((one) => !one.reviews.length);
    this.draw();
  }

  undo() {
    if (!this.done.length) return;
    this.place = this.done.pop();
    this.give(this.cells[this.place], "");
    this.draw();
  }

  give(cell, answer) {
    cell.reviews = answer ? [{ reader: reader.name, answer }] : [];
    this.answers.give({ cell: cell.id, answer, reader: reader.name, worklist: this.worklist });
  }

  go(step) { this.show(Math.min(this.cells.length - 1, Math.max(0, this.place + step))); }

  show(place) {
    this.place = place;
    this.draw();
  }

  close() {
    removeEventListener("keydown", this.key);
    this.answers.close();
  }
}
