// The page of all neurons: cards, their scatter and the table, narrowed down and sorted together.
document.addEventListener("DOMContentLoaded", () => {
  const readable = (text) => text.toLowerCase().replaceAll("_", " ");

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
    const box = Object.assign(document.createElement("input"), {type: "search", placeholder: "filter the table"});
    box.setAttribute("aria-label", "filter the table");
    const none = Object.assign(document.createElement("p"), {textContent: "Nothing found: no row holds these words.", hidden: true});
    box.addEventListener("input", () => {
      for (const row of body.rows) row.hidden = !readable(row.textContent).includes(readable(box.value));
      none.hidden = [...body.rows].some((row) => !row.hidden);
    });
    holder.prepend(box);
    holder.append(none);
  }

  const finder = document.querySelector(".finder");
  if (!finder) return;
  const [plane, deck, nothing] = [".plane", ".cards", ".nothing"].map((name) => document.querySelector(name));
  const cards = [...deck.children];
  const order = new Map(cards.map((card, k) => [card, k]));
  const rows = new Map([...document.querySelectorAll(".sortable tbody tr")].map((row) => [row.cells[0].textContent.trim(), row]));
  const points = scatter(plane, cards);
  const [search, sort, said] = ["input", "[data-sort]", "output"].map((name) => finder.querySelector(name));
  const facets = [...finder.querySelectorAll("[data-facet]")];
  const update = () => {
    let found = 0;
    for (const card of cards) {
      const text = readable([card.dataset.unit, card.dataset.area, card.dataset.kind, card.dataset.verdict, card.dataset.size].join(" "));
      const fits = text.includes(readable(search.value.trim())) && facets.every((facet) => !facet.value || card.dataset[facet.dataset.facet] === facet.value);
      card.hidden = !fits;
      if (rows.has(card.dataset.unit)) rows.get(card.dataset.unit).hidden = !fits;
      if (points.has(card)) points.get(card).style.display = fits ? "" : "none";
      found += fits;
    }
    const key = sort.value, number = (card) => card.dataset[key] === "" ? -Infinity : Number(card.dataset[key]);
    deck.append(...[...cards].sort((a, b) => !key ? order.get(a) - order.get(b) : key === "unit" ? number(a) - number(b) : number(b) - number(a)));
    said.textContent = `${found} of ${cards.length} neurons`;
    nothing.hidden = found > 0;
  };
  for (const part of [search, sort, ...facets]) part.addEventListener("input", update);
  nothing.querySelector("button").addEventListener("click", () => {
    search.value = "";
    for (const facet of facets) facet.value = "";
    update();
  });
  finder.hidden = false;
  update();

  // Gain against CCnorm, a point per card; pointing at either marks the other.
  function scatter(holder, all) {
    const known = all.filter((card) => card.dataset.gain && card.dataset.cc), made = new Map();
    if (known.length < 2) return made;
    const svg = (name, attributes, parent) => {
      const part = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
      parent?.append(part);
      return part;
    };
    const [width, height, left, bottom] = [640, 260, 48, 42];
    const gains = known.map((card) => Number(card.dataset.gain)), ccs = known.map((card) => Number(card.dataset.cc));
    const low = Math.min(0.95, ...gains) / 1.02, high = Math.max(1.2, ...gains) * 1.05, foot = Math.min(0, ...ccs);
    const x = (value) => left + (width - left - 12) * Math.log(value / low) / Math.log(high / low);
    const y = (value) => height - bottom - (height - bottom - 12) * (value - foot) / (1.05 - foot);
    const frame = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Gain of the MEI over the best Gabor against CCnorm, a point per neuron"});
    svg("path", {d: `M${left} 8V${height - bottom}H${width - 8}M${x(1)} 8V${height - bottom}`, class: "axis"}, frame);
    const words = (text, attributes) => { svg("text", attributes, frame).textContent = text; };
    let last = -Infinity;
    for (const tick of [0.5, 0.7, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 5, 10]) {
      if (tick < low || tick > high || x(tick) - last < 26) continue;
      words(tick, {x: last = x(tick), y: height - bottom + 16, "text-anchor": "middle"});
    }
    for (const tick of [0, 0.5, 1]) words(tick, {x: left - 8, y: y(tick) + 4, "text-anchor": "end"});
    words("gain of the MEI over the best Gabor", {x: (left + width) / 2, y: height - 6, "text-anchor": "middle"});
    words("CCnorm", {transform: `translate(13 ${(height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle"});
    known.forEach((card, k) => {
      const link = svg("a", {href: card.getAttribute("href"), class: card.classList[1], "aria-label": `${card.dataset.unit}: gain ${gains[k]}, CCnorm ${ccs[k]}, ${card.dataset.verdict}`}, frame);
      const point = svg("circle", {cx: x(gains[k]), cy: y(ccs[k]), r: 6}, link);
      for (const [here, there] of [[card, point], [link, card]]) {
        for (const on of ["pointerenter", "focus"]) here.addEventListener(on, () => there.classList.add("on"));
        for (const off of ["pointerleave", "blur"]) here.addEventListener(off, () => there.classList.remove("on"));
      }
      made.set(card, link);
    });
    holder.append(frame);
    holder.hidden = false;
    return made;
  }
});
