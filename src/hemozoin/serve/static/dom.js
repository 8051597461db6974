// Elements of the page. Text is always set as text, so nothing in a file name becomes markup.

/** Return an element: h("a", {href: "#/"}, "Slides"). Keys that start with "on" are listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

const NAMESPACE = "http://www.w3.org/2000/svg";

/** Return an element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Say something to screen readers, and show it for a while. */
export function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { said.textContent = ""; }, 8000);
}

/** Return a child that says what went wrong. */
export function problem(error) {
  return h("p", { class: "warnings", role: "alert" }, error.message);
}
