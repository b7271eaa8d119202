// Before printing: scale what is wider than the paper, and name what is still cut off.
(() => {
  const main = document.querySelector("main");
  const room = main.getBoundingClientRect();
  for (const wide of main.querySelectorAll("table, pre, .output > *")) {
    const box = wide.parentElement.getBoundingClientRect();
    const needed = Math.max(wide.scrollWidth || 0, wide.getBoundingClientRect().width);
    if (needed > box.width + 0.5) wide.style.zoom = box.width / (needed + 1);
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
