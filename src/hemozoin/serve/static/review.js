// One cell after another, with its surroundings: a key is an answer, and the next cell is there.

import { get, pathOf, reader, urlOf } from "./api.js";
import { Answers } from "./answers.js";
import { ANSWERS, answerKey } from "./answer_keys.js";
import { countedBy, intervalBar, perMicrolitre, shareText } from "./count.js";
import { h, problem, say, svg } from "./dom.js";
import { Hints } from "./hints.js";
import { percent } from "./numbers.js";

const WORKLISTS = { called: "Called infected", close: "Too close to call", audit: "Random sample of 150" };

// Cells whose pictures, and whose hints, are loaded before they are wanted; pictures that are kept.
const AHEAD = 8, HINTS_AHEAD = 2, KEPT = 120;

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
    const listed = (cell) => this.cells.find((one) => one.id === cell.id);
    this.hints = new Hints(slide.id, {
      pictureOf: (cell) => this.load(cell),
      isHidden: (cell) => Boolean(listed(cell)) && this.isBlind(listed(cell)),
      open: (cell) => this.open(cell),
    });
    this.listed = cells.length;
    this.done = [];  // the cells answered here, for undo
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
          h("p", { class: "so-far" }, this.bar, " ", this.state), this.count, this.hints.element))
        : h("p", {}, "This list has no cells."));
  }

  draw() {
    if (!this.cells.length) return;
    const cell = this.cells[this.place];
    this.image.src = this.load(cell).src;
    this.image.alt = `${this.nameOf(cell)} with its surroundings`;
    this.drawRing(cell);
    const given = cell.reviews[0]?.answer;
    for (const button of this.buttons) button.setAttribute("aria-pressed", button.dataset.answer === given);
    const isClump = cell.decision === "clump";
    this.where.textContent = `${this.nameOf(cell)}${given ? `: you said ${given}` : isClump ? ": parasitized if you see a parasite in it" : ""}`;
    this.machine.textContent = this.isBlind(cell) ? ""
      : `The network: p ${cell.p_parasitized.toFixed(2)}${cell.reason ? `, ${cell.reason}` : ""}`;
    const answered = this.cells.filter((one) => one.reviews.length && !one.isOpened).length;
    this.bar.max = this.listed;
    this.bar.value = answered;
    this.state.textContent = `${answered} of ${this.listed} answered`;
    this.drawCount();
    const next = this.cells.slice(this.place + 1, this.place + 1 + AHEAD);
    next.forEach((one) => this.load(one));
    this.hints.show(cell, this.isBlind(cell), next.slice(0, HINTS_AHEAD).filter((one) => !this.isBlind(one)));
  }

  nameOf(cell) { return `${cell.decision === "clump" ? "Clump" : "Cell"} ${cell.cell} of ${this.names[cell.field] || cell.field}`; }

  /** Return whether the network's answer is hidden: a reader should not be led. */
  isBlind(cell) { return this.worklist === "audit" && !cell.reviews.length && !cell.isOpened; }

  drawRing(cell) {
    const side = SHOWN * this.diameter(cell) / 100;
    const [rx, ry] = [cell.width, cell.height].map((length) => RING * length / 2 / side);
    this.ring.replaceChildren(svg("ellipse", { cx: 50, cy: 50, rx, ry, class: "under" }), svg("ellipse", { cx: 50, cy: 50, rx, ry }));
  }

  drawCount() {
    this.count.replaceChildren(
      h("strong", { class: "share" }, shareText(this.slide) || "no count"),
      h("span", {}, perMicrolitre(this.slide), perMicrolitre(this.slide) && ", with one parasite per infected cell"),
      h("small", {}, countedBy(this.slide)), this.soFar(), intervalBar(this.slide));
  }

  /** Return what the answers say before they are enough for a count. */
  soFar() {
    const { reviewed } = this.slide;
    if (!reviewed || reviewed.settled) return "";
    const { value, low, high } = reviewed.parasitaemia;
    return h("small", {}, `With the answers so far: ${percent(value)} % (${percent(low)} to ${percent(high)}).`);
  }

  drawProblem(error) {
    this.problems.replaceChildren(...(error ? [problem(error)] : []));
  }

  diameter(cell) { return Math.max(cell.width, cell.height); }

  /** Return the picture of a cell, which is loaded from now on. */
  load(cell) {
    if (!this.loaded.has(cell.id)) {
      const picture = new Image();
      const query = new URLSearchParams({ x: cell.x + cell.width / 2, y: cell.y + cell.height / 2, diameter: this.diameter(cell) });
      picture.src = `${urlOf("slides", this.slide.id, "fields", cell.field, "cell.jpg")}?${query}`;
      this.loaded.set(cell.id, picture);
      if (this.loaded.size > KEPT) this.loaded.delete(this.loaded.keys().next().value);
    }
    return this.loaded.get(cell.id);
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
    this.done.push(cell);
    const later = this.cells.findIndex((one, place) => place > this.place && !one.reviews.length);
    if (later >= 0) this.place = later;
    else if (this.cells.every((one) => one.reviews.length)) say("Every cell of this list is answered.");
    else this.place = this.cells.findIndex((one) => !one.reviews.length);
    this.draw();
  }

  undo() {
    if (!this.done.length) return;
    const cell = this.done.pop();
    this.give(cell, "");
    this.show(this.cells.indexOf(cell));
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

  /** Show a cell that may not be in the list; it comes after the shown one. */
  open(cell) {
    const place = this.cells.findIndex((one) => one.id === cell.id);
    if (place < 0) this.cells.splice(this.place + 1, 0, { ...cell, isOpened: true });
    this.show(place < 0 ? this.place + 1 : place);
  }

  close() {
    removeEventListener("keydown", this.key);
    this.answers.close();
    this.hints.close();
  }
}
