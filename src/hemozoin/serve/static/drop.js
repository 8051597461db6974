// Files and folders that are dropped on the page or chosen.

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) {  // a browser gives at most 100 entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const inner of some) found.push(...await filesIn(inner));
  }
}

/** Return the files of a drop, also those in folders. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesIn))).flat();
}

/** Call `taken` with the files that are dropped anywhere on the page; return a function that ends it. */
export function takeDrops(taken) {
  const over = (event) => { event.preventDefault(); document.body.classList.add("dropping"); };
  const left = (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); };
  const drop = async (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    taken(await droppedFiles(event.dataTransfer));
  };
  const listeners = { dragover: over, dragleave: left, drop };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
  return () => { for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener); };
}
