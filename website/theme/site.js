// The list of pages lies open where there is room for it, and the search field looks through them.
const menu = document.getElementById("menu");
const roomy = matchMedia("(min-width: 900px)");
const follow = () => { menu.open = roomy.matches; };
roomy.addEventListener("change", follow);
follow();

const field = document.getElementById("search");
const found = document.getElementById("found");

function look() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text) => words.every((word) => text.toLowerCase().includes(word));
  const hits = words.length ? PAGES.filter((page) => has(`${page.title} ${page.text}`)) : [];
  hits.sort((a, b) => has(b.title) - has(a.title));
  found.replaceChildren(...hits.slice(0, 8).map((page) => line(page, words[0])));
  if (words.length && !hits.length) found.append("Nothing found");
  found.hidden = !words.length;
}

function line(page, word) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `${BASE}/${page.url}`;
  link.textContent = page.title;
  const at = Math.max(0, page.text.toLowerCase().indexOf(word) - 40);
  const near = document.createElement("small");
  near.textContent = `…${page.text.slice(at, at + 110)}…`;
  item.append(link, near);
  return item;
}

field.addEventListener("input", look);
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { field.value = ""; look(); }
  if (event.key === "Enter") found.querySelector("a")?.click();
});
