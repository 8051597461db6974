// Pictures of single cells: dropped, answered at once with the map of why, and not kept.

import { send } from "./api.js";
import { h, problem } from "./dom.js";
import { takeDrops } from "./drop.js";

export function cellsView(main) {
  const input = h("input", { type: "file", multiple: true, id: "cell-pictures", accept: "image/*,.tif,.tiff", class: "hidden-input" });
  const found = h("div", { "aria-live": "polite" });
  main.append(h("h1", {}, "Cells"),
    h("section", { class: "drop", "aria-label": "Pictures of cells" },
      h("p", { class: "lead" }, "Drop pictures of single cells anywhere on this page, or choose them. They are not kept."),
      h("div", { class: "buttons" }, input, h("label", { for: "cell-pictures", class: "button main" }, "Choose pictures"))), found);
  const take = async (files) => {
    if (!files.length) return;
    found.replaceChildren(h("p", { role: "status" }, `${files.length} pictures are looked at …`));
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name);
    try {
      found.replaceChildren(h("ul", { class: "predicted" }, (await send("/cells", form)).map(cellCard)));
    } catch (error) {
      found.replaceChildren(problem(error));
    }
  };
  input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
  return takeDrops(take);
}

function cellCard(cell) {
  return h("li", { class: "card" },
    cell.map ? h("img", { src: cell.map, alt: `${cell.cell}, and the map of what speaks for a parasite`, loading: "lazy" }) : "",
    h("strong", {}, cell.error ? "not readable" : cell.decision),
    h("span", {}, cell.error || `p ${cell.p_parasitized.toFixed(3)}${cell.reason ? `, ${cell.reason}` : ""}`),
    h("code", {}, cell.cell));
}
