// The API of the server, and the name of the person at the page.

const ROOT = "/api/v1";

// Most bytes of a request. The server refuses more, but its answer is lost while a browser sends.
const MOST_BYTES = 2 * 2 ** 30;

export const reader = {
  get name() { return localStorage.getItem("reader") || ""; },
  set name(value) { localStorage.setItem("reader", value.trim()); },
};

function headers() {
  return { "X-Reader": encodeURIComponent(reader.name) };
}

async function answer(response) {
  const body = await response.json().catch(() => null);
  if (response.status === 401) location.assign("/login");
  if (!response.ok) throw new Error(body?.error || `the server answered ${response.status}`);
  return body;
}

async function ask(method, path, options = {}) {
  try {
    return await fetch(ROOT + path, { method, ...options, headers: { ...headers(), ...options.headers } });
  } catch {
    throw new Error("the server does not answer; is hemozoin serve running?");
  }
}

const request = async (method, path, options) => answer(await ask(method, path, options));

export const get = (path) => request("GET", path);
/** Return an address of a picture, for an image; it is loaded, and kept until it is revoked. */
export async function picture(path) {
  const response = await ask("GET", path);
  return response.ok ? URL.createObjectURL(await response.blob()) : answer(response);
}
export const remove = (path) => request("DELETE", path);
const withJson = (method) => (path, value) => request(method, path, {
  body: JSON.stringify(value), headers: { "Content-Type": "application/json" },
});
export const post = withJson("POST");
export const put = withJson("PUT");

/** Return the path of a part of the API, with its parts escaped. */
export const pathOf = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;
export const urlOf = (...parts) => ROOT + pathOf(...parts);

/** Send a form; `progress` is called with the share that is sent, 0 to 1. */
export function send(path, form, progress = () => {}) {
  const size = [...form.values()].reduce((sum, value) => sum + (value.size || 0), 0);
  if (size > MOST_BYTES) return Promise.reject(new Error("more than 2 GB; upload fewer pictures at once"));
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    sent.open("POST", ROOT + path);
    for (const [name, value] of Object.entries(headers())) sent.setRequestHeader(name, value);
    sent.responseType = "json";
    sent.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    sent.onload = () => {
      if (sent.status < 400) resolve(sent.response);
      else reject(new Error(sent.response?.error || `the server answered ${sent.status}`));
    };
    sent.onerror = () => reject(new Error("the upload was cut off; is hemozoin serve running?"));
    sent.send(form);
  });
}

/** Call `changed` with the state of a slide whenever it changes; return a function that stops it. */
export function watch(slide, changed) {
  const events = new EventSource(urlOf("slides", slide, "events"));
  events.onmessage = (event) => changed(JSON.parse(event.data));
  events.addEventListener("deleted", () => events.close());
  return () => events.close();
}
