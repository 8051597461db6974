// What helps to judge a cell: the map of why, and the cells of like p. One request at a time, that
// for the shown cell first: so the picture of the next cell never waits for them.

import { get, pathOf, picture, reader } from "./api.js";
import { h } from "./dom.js";

const KEPT = 200;

const HIDDEN = "The map of why and the cells of like p are shown once you have answered.";
const MAP = "What the network saw: violet speaks for a parasite, orange against one.";

/**
 * The hints beside a cell. `pictureOf` returns the picture of a cell, `isHidden` whether it must not
 * be shown as a neighbour, and `open` shows it.
 */
export class Hints {
  constructor(slide, { pictureOf, isHidden, open }) {
    Object.assign(this, { slide, pictureOf, isHidden, open, cell: null, near: [], wanted: [], known: new Map(), loading: false });
    this.strip = h("ol", { class: "strip" });
    this.map = h("img", { alt: "Map of why", width: 112, height: 112 });
    this.about = h("figcaption");
    this.element = h("section", { class: "hints", "aria-label": "Cells of like p, and the map of why" },
      this.strip, h("figure", { class: "why" }, this.map, this.about));
  }

  /** Show the hints on a cell, or hide them, and load them and those on the next cells. */
  show(cell, isHidden, next) {
    this.cell = isHidden ? null : cell;
    this.draw(isHidden);
    this.load(isHidden ? next : [cell, ...next]);
  }

  draw(isHidden = false) {
    const { near, map, error } = this.cell && this.known.get(this.cell.id) || {};
    const isThere = this.near.some(({ id }) => id === this.cell?.id);
    this.near = near || (isThere ? this.near : []);  // a neighbour has nearly the same ones
    const hadFocus = this.strip.contains(document.activeElement);
    this.strip.replaceChildren(...this.near.filter((cell) => !this.isHidden(cell)).map((cell) => this.neighbour(cell)));
    if (hadFocus) this.strip.querySelector("[aria-current] button")?.focus();
    this.map.hidden = !map;
    if (map) this.map.src = map;
    this.about.textContent = isHidden ? HIDDEN : error || (map ? MAP : "");
  }

  neighbour(cell) {
    const p = cell.p_parasitized.toFixed(2), { src } = this.pictureOf(cell);
    return h("li", { "aria-current": cell.id === this.cell.id ? "true" : null },
      h("button", { class: "plain", "aria-label": `p ${p}, cell ${cell.cell} of ${cell.field}`, onclick: () => this.open(cell) },
        h("img", { src, alt: "", width: 56, height: 56 }), p));
  }

  async load(cells) {
    this.wanted = cells;
    if (this.loading) return;
    this.loading = true;
    for (let cell; (cell = this.wanted.find((one) => !this.known.has(one.id)));) {
      this.known.set(cell.id, await this.hintsOn(cell));
      if (this.known.size > KEPT) this.forget(this.known.keys().next().value);
      if (cell === this.cell) this.draw();
    }
    this.loading = false;
  }

  async hintsOn(cell) {
    if (cell.decision === "clump") return { near: [], error: "There is no map of a clump." };
    const near = `${pathOf("slides", this.slide, "cells")}?${new URLSearchParams({ near: cell.id, reader: reader.name })}`;
    const hints = { near: [] };
    try {
      hints.near = await get(near);
      hints.map = await picture(pathOf("slides", this.slide, "fields", cell.field, "cells", cell.cell, "map.png"));
    } catch (error) {
      hints.error = error.message;
    }
    return hints;
  }

  forget(id) {
    const { map } = this.known.get(id);
    if (map) URL.revokeObjectURL(map);
    this.known.delete(id);
  }

  close() {
    this.wanted = [];
    for (const id of [...this.known.keys()]) this.forget(id);
  }
}
