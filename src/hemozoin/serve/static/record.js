// The record of a slide: patient, date, stain, blood, and a count by eye.

import { h } from "./dom.js";

const TEXTS = [["patient", "Patient code, not a name"], ["date", "Date"], ["site", "Site"], ["stain", "Stain"], ["magnification", "Magnification"], ["operator", "Operator"]];
const MANUAL = [["infected", "Infected cells counted by eye"], ["red_cells", "of red cells"], ["parasites_per_ul", "or parasites per µL"]];

/** Return the inputs of a record; `manual` adds those of a count by eye. */
export function recordInputs(record = {}, manual = false) {
  const input = (name, title, value, attributes = {}) => h("label", {}, `${title} `, h("input", { name, value: value ?? "", maxlength: 200, autocomplete: "off", ...attributes }));
  const number = { type: "number", step: "any", min: 0, inputmode: "decimal" };
  return [
    ...TEXTS.map(([name, title]) => input(name, title, record[name], name === "date" ? { type: "date" } : {})),
    input("hematocrit", "Hematocrit in %", record.hematocrit, number),
    ...(manual ? MANUAL.map(([name, title]) => input(`manual.${name}`, title, record.manual?.[name], number)) : []),
  ];
}

/** Return the record in a form, as the API takes it. */
export function recordOf(form, before = {}) {
  const value = (name) => form.elements[name].value.trim();
  const record = { ...before, hematocrit: value("hematocrit") ? Number(value("hematocrit")) : null };
  for (const [name] of TEXTS) record[name] = value(name) || null;
  const manual = { ...before.manual };
  for (const [name] of MANUAL) manual[name] = value(`manual.${name}`) ? Number(value(`manual.${name}`)) : null;
  record.manual = Object.values(manual).some((one) => one != null) ? manual : null;
  return record;
}
