// The table of all submissions: sorted by any of its columns, filtered by words. Without this
// script it is in the order of the names.
(() => {
  // A link into a closed <details> opens it; a browser may not do so by itself.
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const details = target && target.closest("details");
    if (details && !details.open) { details.open = true; target.focus(); }
  };
  addEventListener("hashchange", open);
  open();

  const table = document.getElementById("all");
  if (!table) return;
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const status = document.getElementById("shown");
  const collator = new Intl.Collator("en", { numeric: true });

  const keys = heads.map((head, column) => rows.map(row => {
    const cell = row.cells[column];
    if (!("numbers" in head.dataset)) return cell.textContent.trim();
    return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
  }));
  const compare = (a, b) => typeof a === "number" ? a - b : collator.compare(a, b);

  const sort = column => {
    const down = heads[column].getAttribute("aria-sort") === "ascending";
    const key = keys[column];
    const order = rows.map((_, i) => i).sort((i, j) => {
      // what has no number comes last either way; what is alike stays in the order of the names
      if (Number.isNaN(key[i]) || Number.isNaN(key[j])) return Number.isNaN(key[i]) - Number.isNaN(key[j]);
      return down ? compare(key[j], key[i]) : compare(key[i], key[j]);
    });
    table.tBodies[0].append(...order.map(i => rows[i]));
    heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    status.textContent = `Sorted by ${heads[column].textContent}, ${down ? "descending" : "ascending"}`;
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  });

  // accents need not be typed
  const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = rows.map(row => plain(row.textContent));
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const words = plain(filter.value).split(/\s+/);
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !words.every(word => texts[i].includes(word));
      shown += !row.hidden;
    });
    status.textContent = `${shown} of ${rows.length} shown`;
  });
  filter.closest("[hidden]").hidden = false;
})();
