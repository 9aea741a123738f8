// Tables inside `.sortable`: a click on a heading sorts, the box above the table filters.
document.addEventListener("DOMContentLoaded", () => {
  for (const holder of document.querySelectorAll(".sortable")) {
    const table = holder.querySelector("table");
    const body = table.tBodies[0];
    const value = (row, column) => {
      const text = row.cells[column].textContent.trim();
      return text === "" || text === "–" ? null : isNaN(text) ? text : Number(text);
    };
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const compare = (a, b) => typeof a === typeof b && typeof a === "number" ? a - b : String(a).localeCompare(String(b));
        [...body.rows]
          .map((row) => [value(row, column), row])
          .sort(([a], [b]) => a === null ? (b === null ? 0 : 1) : b === null ? -1 : (down ? -1 : 1) * compare(a, b))
          .forEach(([, row]) => body.append(row));
      });
    });
    const box = document.createElement("input");
    box.type = "search";
    box.placeholder = "filter the table";
    box.setAttribute("aria-label", "filter the table");
    box.addEventListener("input", () => {
      for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(box.value.toLowerCase());
    });
    holder.prepend(box);
  }
});
