// The menu is open on wide screens. The search field searches all pages.
const menu = document.getElementById("menu");
const wideScreen = matchMedia("(min-width: 900px)");
const openOrClose = () => { menu.open = wideScreen.matches; };
wideScreen.addEventListener("change", openOrClose);
openOrClose();

const field = document.getElementById("search");
const found = document.getElementById("found");

function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text) => words.every((word) => text.toLowerCase().includes(word));
  const hits = words.length ? PAGES.filter((page) => has(`${page.title} ${page.text}`)) : [];
  hits.sort((a, b) => has(b.title) - has(a.title));
  found.replaceChildren(...hits.slice(0, 8).map((page) => result(page, words[0])));
  if (words.length && !hits.length) found.append("Nothing found");
  found.hidden = !words.length;
}

function result(page, word) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `${BASE}/${page.url}`;
  link.textContent = page.title;
  const start = Math.max(0, page.text.toLowerCase().indexOf(word) - 40);
  const excerpt = document.createElement("small");
  excerpt.textContent = `…${page.text.slice(start, start + 110)}…`;
  item.append(link, excerpt);
  return item;
}

field.addEventListener("input", search);
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { field.value = ""; search(); }
  if (event.key === "Enter") found.querySelector("a")?.click();
});
