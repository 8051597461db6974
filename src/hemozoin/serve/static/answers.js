// Answers on their way to the server: kept until it has them, in the order they were given.

import { pathOf, post } from "./api.js";

const AGAIN = 2000;

/** A queue of answers for a slide; `saved` gets each count, `failed` what went wrong, or null. */
export class Answers {
  constructor(slide, saved, failed) {
    Object.assign(this, { path: pathOf("slides", slide, "reviews"), saved, failed, waiting: [], sending: false });
    this.warn = (event) => { if (this.waiting.length) event.preventDefault(); };
    addEventListener("beforeunload", this.warn);
  }

  give(answer) {
    this.waiting.push(answer);
    this.send();
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    while (this.waiting.length) {
      const batch = this.waiting.slice(0, 100);
      try {
        const { reviewed } = await post(this.path, batch);
        this.waiting.splice(0, batch.length);
        this.failed(null);
        this.saved(reviewed);
      } catch (error) {
        this.failed(new Error(`${error.message} (${this.waiting.length} not saved yet)`));
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
    this.sending = false;
    if (this.closed) this.close();
  }

  /** Warn no longer, as soon as the server has all answers. */
  close() {
    this.closed = true;
    if (!this.waiting.length) removeEventListener("beforeunload", this.warn);
  }
}
