// The count of a slide: its verdict, and the interval on a line, which moves with each answer.

import { h, svg } from "./dom.js";
import { percent, twoDigits } from "./numbers.js";

/** Return the parasitaemia of a slide: that of network and person where it is settled. */
export function shareOf({ count, reviewed }) {
  if (reviewed?.settled) return reviewed.parasitaemia;
  if (count?.machine_parasitaemia == null) return null;
  return { value: count.machine_parasitaemia, low: count.machine_parasitaemia_low, high: count.machine_parasitaemia_high };
}

/** Return "0.94 % (0 to 2.8)", or "about 0.94 %, unconfirmed"; "" without a parasitaemia. */
export function shareText(slide) {
  const share = shareOf(slide), unconfirmed = slide.count?.unconfirmed_parasitaemia;
  if (share) return `${percent(share.value)} % (${percent(share.low)} to ${percent(share.high)})`;
  return unconfirmed == null ? "" : `about ${percent(unconfirmed)} %, unconfirmed`;
}

/** Return who counted, and what is left to do, as a sentence. */
export function countedBy({ count, reviewed }) {
  const answered = reviewed?.answered || 0;
  if (!answered) return "Counted by the network alone.";
  const { called, close, called_answered: ofCalled, close_answered: ofClose } = reviewed;
  if (!reviewed.settled) {
    return `Counted by the network alone; ${ofCalled} of ${called} called and ${ofClose} of ${close} close cells are answered. With all of them, or the random sample, the count is that of network and person.`;
  }
  const basis = reviewed.basis === "drawn" ? "a random sample" : "all called and close cells";
  return `Counted by network and person: ${answered} of ${count?.red_cells ?? 0} cells looked at, from ${basis}.`;
}

/** Return parasites per µL with the interval, as text. */
export function perMicrolitre(slide) {
  const share = shareOf(slide);
  if (!share) return "";
  const [value, low, high] = [share.value, share.low, share.high].map((one) => twoDigits(one * slide.count.red_cells_per_ul));
  return `${value} parasites/µL (${low} to ${high})`;
}

/** Return a line from 0 to a little above the interval of the network alone and with a person. */
export function intervalBar(slide) {
  const share = shareOf(slide);
  if (!share) return "";
  const end = Math.min(1, 1.15 * Math.max(share.high, slide.count?.machine_parasitaemia_high || 0, 0.001));
  const at = (value) => `${(100 * value / end).toFixed(2)}%`;
  const machine = slide.reviewed?.settled && slide.count?.machine_parasitaemia != null && svg("rect", {
    x: at(slide.count.machine_parasitaemia_low), y: 26, height: 3,
    width: at(slide.count.machine_parasitaemia_high - slide.count.machine_parasitaemia_low), class: "machine",
  });
  return h("figure", { class: "interval" },
    svg("svg", { role: "img", "aria-label": `parasitaemia ${shareText(slide)}`, height: 34 },
      svg("line", { x1: 0, x2: "100%", y1: 17, y2: 17, class: "axis" }),
      svg("rect", { x: at(share.low), width: at(share.high - share.low), y: 10, height: 14, rx: 3, class: "range" }),
      ...(machine ? [machine] : []),
      svg("circle", { cx: at(share.value), cy: 17, r: 7, class: "point" })),
    h("div", { class: "ends" }, h("span", {}, "0"), h("span", {}, `${percent(end)} % of red cells`)),
    h("figcaption", {}, machine ? "95 % interval; the thin line below is that of the network alone." : "95 % interval."));
}
