// Many slides: the counts beside those by eye, and the page with the Bland-Altman plot.

import { get, pathOf, urlOf } from "./api.js";
import { perMicrolitre } from "./count.js";
import { h } from "./dom.js";
import { twoDigits } from "./numbers.js";

export async function manyView(main) {
  const slides = (await get("/slides")).filter(({ count }) => count?.manual_parasites_per_ul != null);
  main.append(h("h1", {}, "Many slides"));
  if (!slides.length) {
    main.append(h("p", {}, "No slide has a count by eye. Enter it in the record, on the page of a slide."));
    return;
  }
  const titles = ["Slide", "By eye, parasites/µL", "Here, with one parasite per infected cell", "Here over by eye"];
  main.append(
    slides.some(({ count }) => count.manual_parasites_per_ul > 0)
      ? h("p", {}, h("a", { href: urlOf("agreement", "index.html"), target: "_blank" }, "Bland-Altman plot and WHO's grade"))
      : "",
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Slides with a count by eye" },
      h("table", {}, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, slides.map((slide) => h("tr", {},
          h("th", { scope: "row" }, h("a", { href: `#${pathOf("slides", slide.id)}` }, slide.id)),
          h("td", {}, twoDigits(slide.count.manual_parasites_per_ul)),
          h("td", {}, perMicrolitre(slide) || slide.count.verdict),
          h("td", {}, slide.count.automatic_over_manual == null ? "" : twoDigits(slide.count.automatic_over_manual))))))));
}
