// More pictures of a slide: dropped on its page or chosen, and screened beside those that it has.

import { pathOf } from "./api.js";
import { h, say } from "./dom.js";
import { fileButtons, notPictures, uploadForm } from "./upload.js";

/** The part of a slide's page that takes more pictures; it is hidden while the slide is screened. */
export class MoreFields {
  constructor(id) {
    this.id = id;
    this.form = h("div");
    this.element = h("section", { class: "drop", "aria-label": "More fields", hidden: true },
      h("p", { class: "lead" }, "Drop more pictures of this slide anywhere on this page, or choose them. The record and the answers stay."),
      fileButtons((files) => this.take(files)), this.form);
  }

  /** Show what can be done in a state of the slide. */
  draw({ uploaded, state, other_settings: others }) {
    this.refusal = refusalOf(uploaded, state === "queued" || state === "running", others.length > 0);
    this.element.hidden = Boolean(this.refusal);
  }

  take(files) {
    if (!files.length) return;
    if (this.refusal) return say(this.refusal);
    const close = () => this.form.replaceChildren();
    this.form.replaceChildren(uploadForm(files, {
      path: pathOf("slides", this.id, "pictures"), title: ` for ${this.id}`, button: "Add to this slide", close, sent: added,
    }));
  }
}

function refusalOf(uploaded, isScreened, isOutdated) {
  if (!uploaded) return "The pictures of this slide are elsewhere: add the new ones there, and screen it again.";
  if (isScreened) return "The slide is being screened; add pictures when it is done.";
  return isOutdated ? "Screen the slide anew before you add pictures." : "";
}

function added({ added: count, repeated, passed_over: others }) {
  const again = repeated.length ? ` In the slide already: ${repeated.slice(0, 5).join(", ")}.` : "";
  say(`${count} ${count === 1 ? "picture is" : "pictures are"} added.${again}${notPictures(others)}`);
}
