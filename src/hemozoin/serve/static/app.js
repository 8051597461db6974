// The page: which view the address shows, and the name of the person at the page.

import { reader } from "./api.js";
import { cellsView } from "./cells.js";
import { h, problem } from "./dom.js";
import { fieldView } from "./field.js";
import { slidesView } from "./slides.js";
import { slideView } from "./slide.js";
import { manyView } from "./many.js";
import { patientView } from "./patient.js";
import { reviewView } from "./review.js";

// Each view fills an element and may return a function that is called when it is left.
const VIEWS = [
  [/^$/, slidesView],
  [/^slides\/([^/]+)$/, slideView],
  [/^slides\/([^/]+)\/fields\/([^/]+)$/, fieldView],
  [/^patients\/([^/]+)$/, patientView],
  [/^cells$/, cellsView],
  [/^many$/, manyView],
  [/^slides\/([^/]+)\/review(?:\/([a-z]+))?$/, reviewView],
];

const main = document.getElementById("main");
let leave = () => {};

async function show() {
  leave();
  leave = () => {};
  const address = location.hash.replace(/^#\/?/, "");
  const [pattern, view] = VIEWS.find(([known]) => known.test(address)) || [];
  const element = h("div");
  main.replaceChildren(element);
  for (const link of document.querySelectorAll("#pages a")) {
    const here = link.getAttribute("href") === `#/${address.split("/")[0]}`;
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  if (!view) {
    element.append(h("p", {}, "There is no such page."));
    return;
  }
  try {
    const parts = pattern.exec(address).slice(1).map((part) => part && decodeURIComponent(part));
    const left = await view(element, ...parts) || (() => {});
    if (element.isConnected) leave = left;
    else left();  // another page was opened while this one was loaded
  } catch (error) {
    element.append(problem(error));
  }
}

const name = document.getElementById("reader");
name.value = reader.name;
name.addEventListener("change", () => { reader.name = name.value; });
addEventListener("hashchange", show);
show();
