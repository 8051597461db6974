// A field: zoom and pan, outlines by decision and answer, a click corrects, a box adds a missed cell.

import { get, pathOf, post, reader, urlOf } from "./api.js";
import { Answers } from "./answers.js";
import { ANSWERS, answerKey } from "./answer_keys.js";
import { h, problem, say } from "./dom.js";
import { percent } from "./numbers.js";

// The colours of the overlays, which colour-blind people can distinguish, and of answers.
const OTHERS = "#6d6472", NO_ANSWER = "#ffffff";
const COLOURS = { clump: OTHERS, parasitized: "#d55e00", review: "#f0e442", uninfected: "#009e73", "not a red cell": "#6d6472", "can't tell": "#56b4e9" };

const NOTHING = "Click a cell, or press . for the next one.";

export async function fieldView(main, id, name) {
  const slide = await get(pathOf("slides", id));
  const own = `reader=${encodeURIComponent(reader.name)}`;
  const field = await get(`${pathOf("slides", id, "fields", name)}?${own}`);
  const cells = await get(`${pathOf("slides", id, "cells")}?field=${encodeURIComponent(name)}&${own}`);
  const view = new FieldView(slide, name, field, cells);
  view.build(main);
  return () => view.close();
}

class FieldView {
  constructor(slide, name, field, cells) {
    Object.assign(this, { slide, name, field, selected: -1, drawing: false, box: null, pointers: new Map(), pinched: false });
    const answers = new Map(cells.map((cell) => [cell.cell, cell.reviews[0]?.answer || ""]));
    this.isCounted = cells.length > 0;
    const isClump = (one) => "p_parasitized" in one;
    const clumps = field.others.filter(isClump).map((one, place) => ({ ...one, cell: field.cells.length + place + 1, decision: "clump" }));
    this.cells = [...field.cells, ...clumps].map((cell) => ({ ...cell, answer: answers.get(cell.cell) || "", path: pathAround(cell.outline) }));
    for (const { x, y, width, height, answer } of field.missed) this.addMissed({ x, y, width, height }, answer);
    this.others = field.others.filter((one) => !isClump(one)).map((one) => pathAround(one.outline));
    this.answers = new Answers(slide.id, () => {}, (error) => this.problems.replaceChildren(...(error ? [problem(error)] : [])));
    this.key = (event) => this.pressed(event);
    this.fit = () => this.fitted();
    addEventListener("keydown", this.key);
    addEventListener("resize", this.fit);
  }

  build(main) {
    const { id, field_rows: rows } = this.slide;
    const row = rows.findIndex((one) => one.field === this.name);
    const link = (other, text) => other && h("a", { class: "button", href: `#${pathOf("slides", id, "fields", other.field)}` }, text);
    this.canvas = h("canvas", { class: "field", tabindex: 0, role: "img", "aria-label": `${rows[row]?.name || this.name}: ${this.field.cells.length} red cells` });
    this.problems = h("div");
    this.about = h("p", { class: "about", "aria-live": "polite" }, NOTHING);
    this.buttons = ANSWERS.map(([, key, answer, text]) => h("button", { "data-answer": answer, "aria-keyshortcuts": key, onclick: () => this.answer(answer) }, h("kbd", {}, key), ` ${text}`));
    this.draws = h("button", { "aria-keyshortcuts": "D", "aria-pressed": "false", onclick: () => this.toggleDrawing() }, h("kbd", {}, "D"), " Draw a missed cell");
    main.append(
      h("h1", {}, h("a", { href: `#${pathOf("slides", id)}` }, id), ` ${rows[row]?.name || this.name}`),
      this.problems,
      rows[row]?.why_not ? h("p", { class: "warnings" }, `Not counted: ${rows[row].why_not}`) : "",
      h("div", { class: "buttons" },
        link(rows[row - 1], "← Field before"), link(rows[row + 1], "Next field →"),
        h("button", { onclick: () => this.zoom(1.4), "aria-label": "Zoom in" }, h("kbd", {}, "+")),
        h("button", { onclick: () => this.zoom(1 / 1.4), "aria-label": "Zoom out" }, h("kbd", {}, "−")),
        h("button", { onclick: this.fit }, h("kbd", {}, "0"), " Whole field"), this.draws,
        h("a", { class: "button", href: urlOf("slides", id, "fields", this.name, "cells.geojson"), download: `${this.name}.geojson` }, "GeoJSON for QuPath")),
      this.canvas, legend(), this.about,
      h("div", { class: "answers wide", role: "group", "aria-label": "Answers" }, this.buttons));
    this.picture = new Image();
    this.picture.onload = () => { this.scale = this.picture.naturalWidth / (this.field.width || this.picture.naturalWidth); this.fitted(); };
    this.picture.onerror = () => this.problems.append(problem(new Error("the picture of this field can't be shown")));
    this.picture.src = urlOf("slides", id, "fields", this.name, "picture");
    this.canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, this.at(event)); }, { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) this.canvas.addEventListener(name, (event) => this[name](event));
  }

  // ---- what is shown ---------------------------------------------------------------------------

  fitted() {
    const width = this.canvas.clientWidth, ratio = devicePixelRatio || 1;
    const height = Math.min(width * this.field.height / this.field.width, innerHeight * 0.75);
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    this.canvas.style.height = `${height}px`;
    const k = Math.min(this.canvas.width / this.field.width, this.canvas.height / this.field.height);
    this.view = { k, x: (this.canvas.width - k * this.field.width) / 2, y: (this.canvas.height - k * this.field.height) / 2 };
    this.paint();
  }

  paint() {
    if (!this.view) return;
    const pen = this.canvas.getContext("2d"), { k, x, y } = this.view, ratio = devicePixelRatio || 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(k, 0, 0, k, x, y);
    pen.drawImage(this.picture, 0, 0, this.field.width, this.picture.naturalHeight / this.scale);
    const line = (path, colour, width) => { pen.strokeStyle = colour; pen.lineWidth = width * ratio / k; pen.stroke(path); };
    for (const path of this.others) line(path, OTHERS, 1);
    for (const cell of this.cells) {
      if (cell.answer && !cell.box) line(cell.path, "#ffffff", 5);
      pen.setLineDash(cell.box ? [6 * ratio / k, 4 * ratio / k] : []);
      line(cell.path, COLOURS[cell.answer || cell.decision] || NO_ANSWER, cell.decision === "uninfected" && !cell.answer ? 1.2 : 2.4);
    }
    pen.setLineDash([]);
    if (this.box) line(boxPath(this.box), "#ffffff", 2);
    if (this.cells[this.selected]) { line(this.cells[this.selected].path, "#000000", 6); line(this.cells[this.selected].path, "#ffffff", 3); }
  }

  zoom(factor, middle = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    if (!this.view) return;  // the picture is not there yet
    const { k, x, y } = this.view, larger = Math.min(20, Math.max(0.05, k * factor)), by = larger / k;
    this.view = { k: larger, x: middle.x - by * (middle.x - x), y: middle.y - by * (middle.y - y) };
    this.paint();
  }

  pan(dx, dy) {
    if (!this.view) return;
    this.view.x += dx;
    this.view.y += dy;
    this.paint();
  }

  // ---- a cell ----------------------------------------------------------------------------------

  select(place, centre = false) {
    this.selected = place;
    const cell = this.cells[place];
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(Boolean(cell) && button.dataset.answer === cell.answer));
    this.about.textContent = NOTHING;
    if (cell) {
      const said = cell.answer ? ` You said ${cell.answer}.` : "";
      this.about.textContent = cell.box
        ? `A missed cell.${said || " Answer with P, U, N or ?; without an answer it is not kept."}`
        : cell.decision === "clump" ? `Clump ${cell.cell}, which only a person can count: parasitized if you see a parasite in it.${said}`
        : `Cell ${cell.cell}: the network says ${cell.decision}, p ${percent(cell.p_parasitized)} %${cell.reason ? ` (${cell.reason})` : ""}.${said}`;
      if (centre && this.view) Object.assign(this.view, {
        x: this.canvas.width / 2 - this.view.k * (cell.x + cell.width / 2), y: this.canvas.height / 2 - this.view.k * (cell.y + cell.height / 2),
      });
    }
    this.paint();
  }

  answer(answer) {
    const cell = this.cells[this.selected];
    if (!reader.name) return say("Enter your name first, at the top.");
    if (!this.isCounted) return say("This field is not counted, so its cells take no answers.");
    if (!cell) return say("Choose a cell first.");
    const given = cell.answer === answer ? "" : answer;  // the same answer again takes it back
    if (cell.box) return this.answerMissed(cell, given);
    cell.answer = given;
    this.answers.give({ cell: `${this.name}:${cell.cell}`, answer: cell.answer, reader: reader.name });
    this.select(this.selected);
  }

  async answerMissed(cell, answer) {
    try {
      await post(pathOf("slides", this.slide.id, "missed-cells"), { field: this.name, ...cell.box, answer, reader: reader.name });
    } catch (error) {
      return say(error.message);
    }
    cell.answer = answer;
    if (answer) {
      say("The missed cell is kept, and counts as itself.");
      return this.select(this.cells.indexOf(cell));
    }
    this.cells.splice(this.cells.indexOf(cell), 1);
    say("The missed cell is taken back.");
    this.select(-1);
  }

  toggleDrawing() {
    this.drawing = !this.drawing;
    this.draws.setAttribute("aria-pressed", String(this.drawing));
    this.canvas.classList.toggle("drawing", this.drawing);
    if (this.drawing) say("Drag a box around a cell that was not found, or press Enter for one in the middle; then answer.");
  }

  /** Add a box as a cell that was not found, and return its place. */
  addMissed(box, answer = "") {
    return this.cells.push({ ...box, box, answer, path: boxPath(box) }) - 1;
  }

  /** Take the box that was drawn, and ask for the answer. */
  takeBox() {
    const box = this.box;
    this.box = null;
    this.toggleDrawing();
    if (box.width < 8 || box.height < 8) {
      say("The box is too small.");
      return this.paint();
    }
    say("");
    this.cells = this.cells.filter((cell) => !cell.box || cell.answer);
    this.select(this.addMissed(box));
  }

  drawInMiddle() {
    if (!this.view) return;
    const { x, y } = this.inField({ x: this.canvas.width / 2, y: this.canvas.height / 2 }), side = this.field.diameter;
    this.box = { x: Math.max(0, x - side / 2), y: Math.max(0, y - side / 2), width: side, height: side };
    this.takeBox();
  }

  // ---- mouse, fingers, keys --------------------------------------------------------------------

  at(event) {
    const frame = this.canvas.getBoundingClientRect(), ratio = this.canvas.width / frame.width;
    return { x: (event.clientX - frame.left) * ratio, y: (event.clientY - frame.top) * ratio };
  }

  inField({ x, y }) { return { x: (x - this.view.x) / this.view.k, y: (y - this.view.y) / this.view.k }; }

  pointerdown(event) {
    if (!this.view) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.start = this.at(event);
    this.moved = false;
    if (this.pointers.size === 2) {
      this.pinched = true;
      this.box = null;
    }
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId), now = this.at(event);
    if (!before) return;
    this.pointers.set(event.pointerId, now);
    if (Math.hypot(now.x - this.start.x, now.y - this.start.y) > 6) this.moved = true;
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([number]) => number !== event.pointerId)[1];
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y);
      this.zoom(apart(now) / Math.max(1, apart(before)), other);
    } else if (this.drawing && !this.pinched) {
      const [a, b] = [this.inField(this.start), this.inField(now)];
      this.box = { x: Math.max(0, Math.min(a.x, b.x)), y: Math.max(0, Math.min(a.y, b.y)), width: Math.abs(a.x - b.x), height: Math.abs(a.y - b.y) };
      this.paint();
    } else this.pan(now.x - before.x, now.y - before.y);
  }

  pointerup(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.pinched) this.pinched = this.pointers.size > 0;  // the last finger of a pinch selects nothing
    else if (this.drawing && this.box) this.takeBox();
    else if (!this.moved) {
      const { x, y } = this.inField(this.at(event)), pen = this.canvas.getContext("2d");
      pen.setTransform(1, 0, 0, 1, 0, 0);
      this.select(this.cells.findIndex((cell) => pen.isPointInPath(cell.path, x, y)));
    }
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
    this.box = null;
    this.pinched = this.pinched && this.pointers.size > 0;
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return;
    const step = 80, from = (by) => (this.selected < 0 && by < 0 ? 0 : this.selected);
    const around = (by) => this.select((from(by) + by + this.cells.length) % this.cells.length, true);
    const moves = {
      ".": () => around(1), ",": () => around(-1), "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(1 / 1.4), 0: () => this.fitted(), d: () => this.toggleDrawing(),
      arrowleft: () => this.pan(step, 0), arrowright: () => this.pan(-step, 0), arrowup: () => this.pan(0, step), arrowdown: () => this.pan(0, -step),
    };
    if (event.key === "Enter" && this.drawing && !/BUTTON|A/.test(event.target.tagName)) return this.drawInMiddle();
    const answer = answerKey(event), move = answer ? () => this.answer(answer) : moves[event.key.toLowerCase()];
    if (move && (this.cells.length || !".,".includes(event.key))) {
      event.preventDefault();
      move();
    }
  }

  close() {
    removeEventListener("keydown", this.key);
    removeEventListener("resize", this.fit);
    this.answers.close();
  }
}

function pathAround(outline) {
  const path = new Path2D();
  outline.forEach(([x, y], number) => (number ? path.lineTo(x, y) : path.moveTo(x, y)));
  path.closePath();
  return path;
}

function boxPath({ x, y, width, height }) {
  const path = new Path2D();
  path.rect(x, y, width, height);
  return path;
}

function legend() {
  const shown = [["infected", "parasitized"], ["for review", "review"], ["uninfected", "uninfected"], ["not counted", "others"], ["answered by you", "answered"], ["missed, drawn by a reader", "missed"]];
  return h("p", { class: "legend" }, shown.map(([text, name]) => h("span", { class: `of-${name}` }, text)));
}
