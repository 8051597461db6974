// One patient: the slides by date, and the parasitaemia over days.

import { get, pathOf } from "./api.js";
import { perMicrolitre, shareOf, shareText } from "./count.js";
import { daysBetween, daysChart } from "./days_chart.js";
import { h } from "./dom.js";
import { many } from "./numbers.js";

export async function patientView(main, code) {
  const slides = await get(`/slides?patient=${encodeURIComponent(code)}`);
  main.append(h("h1", {}, `Patient ${code}`));
  if (!slides.length) {
    main.append(h("p", {}, "No slide has this patient code in its record."));
    return null;
  }
  const dated = slides.filter(({ record }) => record.date).sort((a, b) => (a.record.date < b.record.date ? -1 : 1));
  const undated = slides.filter(({ record }) => !record.date);
  const chart = h("div");
  main.append(chart, ...datedSection(dated), ...undatedSection(undated));
  const points = dated.filter(shareOf).map((slide) => ({
    slide: slide.id, date: slide.record.date, share: shareOf(slide), settled: Boolean(slide.reviewed?.settled),
  }));
  const draw = () => chart.replaceChildren(points.length ? daysChart(points, chart.clientWidth)
    : h("p", {}, "No slide with a date has a count yet, so there is nothing to draw."));
  draw();
  addEventListener("resize", draw);
  return () => removeEventListener("resize", draw);
}

function datedSection(slides) {
  if (!slides.length) return [];
  const first = slides[0].record.date;
  const without = slides.filter((slide) => !shareOf(slide)).length;
  return [
    without > 0 && h("p", {}, `${many(without)} of ${many(slides.length)} slides with a date ${without === 1 ? "has" : "have"} no count; the verdict says why.`),
    slideTable("Slides by date", ["Date", "Day"], slides, ({ record }) => [record.date, many(daysBetween(first, record.date))]),
  ].filter(Boolean);
}

function undatedSection(slides) {
  if (!slides.length) return [];
  const text = slides.length === 1 ? "1 slide has no date, so it is not in the chart." : `${many(slides.length)} slides have no date, so they are not in the chart.`;
  return [h("h2", {}, "Without a date"), h("p", {}, `${text} Enter the date in the record, on the slide's page.`),
    slideTable("Slides without a date", [], slides, () => [])];
}

function slideTable(label, titles, slides, firstCells) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", { class: "one-line" },
      h("thead", {}, h("tr", {}, ["Slide", ...titles, "Verdict", "Parasitaemia", "With one parasite per infected cell"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, slides.map((slide) => h("tr", {},
        h("th", { scope: "row" }, h("a", { href: `#${pathOf("slides", slide.id)}` }, slide.id)),
        firstCells(slide).map((text) => h("td", {}, text)),
        h("td", {}, slide.count?.verdict || slide.state), h("td", {}, shareText(slide)), h("td", {}, perMicrolitre(slide)))))));
}

/** Return a link to the page of a patient, or "" without a code. */
export function patientLink(code) {
  return code ? h("a", { href: `#${pathOf("patients", code)}` }, code) : "";
}
