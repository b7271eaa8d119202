// Before printing: scale what is wider than the paper, let long cells be split between their
// parts, and name what is still cut off.
(() => {
  const page = 9.45 * 96; // CSS pixels between the upper and the lower margin
  const main = document.querySelector("main");
  const room = main.getBoundingClientRect();
  for (const wide of main.querySelectorAll("table, pre, .output > *")) {
    const box = wide.parentElement.getBoundingClientRect();
    const needed = Math.max(wide.scrollWidth || 0, wide.getBoundingClientRect().width);
    if (needed > box.width + 0.5) wide.style.zoom = box.width / (needed + 1);
  }
  for (const cell of main.querySelectorAll(".cell")) {
    // kept whole, a cell of more than half a page would leave as much of the page before it empty
    cell.classList.toggle("long", cell.getBoundingClientRect().height > page / 2);
  }
  const cut = [];
  for (const element of main.querySelectorAll("*")) {
    if (element.closest(".glyphs") || element.parentElement.closest("svg")) continue;
    const box = element.getBoundingClientRect();
    if (box.right > room.right + 1 || box.left < room.left - 1)
      cut.push(`<${element.localName}> ${element.textContent.trim().slice(0, 60)}`);
  }
  return cut;
})()
