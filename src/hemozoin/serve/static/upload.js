// Pictures on their way to the server: chosen, shown with their number, sent with a bar of progress.

import { send } from "./api.js";
import { h, problem } from "./dom.js";
import { many } from "./numbers.js";

/** Return buttons that choose pictures or a folder; `take` gets the files. */
export function fileButtons(take) {
  const pictures = h("input", { type: "file", multiple: true, id: "pictures", accept: "image/*,.tif,.tiff,.heic,.zip", class: "hidden-input" });
  const folder = h("input", { type: "file", webkitdirectory: true, id: "folder", class: "hidden-input" });
  for (const input of [pictures, folder]) {
    input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
  }
  return h("div", { class: "buttons" },
    pictures, h("label", { for: "pictures", class: "button main" }, "Choose pictures"),
    folder, h("label", { for: "folder", class: "button" }, "Choose a folder"));
}

/** Return a form that sends files and its `inputs` to a path of the API; `sent` gets the answer, `close` removes it. */
export function uploadForm(files, { path, title, inputs = [], button, sent, close }) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload", hidden: true });
  const submit = h("button", { class: "main" }, button);
  const form = h("form", { class: "card narrow" },
    h("h2", {}, `${many(files.length)} ${files.length === 1 ? "file" : "files"}${title}`), inputs, bar,
    h("div", { class: "buttons" }, submit, h("button", { type: "button", onclick: close }, "Cancel")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData();
    for (const input of form.querySelectorAll("input")) data.append(input.name, input.value);
    for (const file of files) data.append("files", file, file.name);
    submit.disabled = true;
    bar.hidden = false;
    try {
      sent(await send(path, data, (share) => { bar.value = share; }));
      close();
    } catch (error) {
      form.querySelector(".warnings")?.remove();
      form.append(problem(error));
      submit.disabled = false;
    }
  });
  queueMicrotask(() => (form.querySelector("input") || submit).focus());
  return form;
}

/** Return a sentence about files that are no pictures, or "". */
export const notPictures = (names) => (names.length ? ` Not pictures: ${names.slice(0, 5).join(", ")}.` : "");
