// `.explore` of book/_ext/explorers.py: a slider over pictures; with points also a plot of them to point at.
document.addEventListener("DOMContentLoaded", () => {
  const svg = (name, attributes, parent) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent?.append(made);
    return made;
  };
  const words = (text, attributes, parent) => { svg("text", attributes, parent).textContent = text; };

  const plot = (data, choose) => {
    const [width, height, left, bottom] = [360, 280, 44, 40];
    const highest = [0, 1].map(k => Math.max(...data.points.map(point => point[k] + (k ? point[2] : 0))) * 1.05 || 1);
    const x = value => left + (width - left - 8) * Math.max(0, value) / highest[0];
    const y = value => height - bottom - (height - bottom - 8) * Math.max(0, value) / highest[1];
    const frame = svg("svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"});
    svg("path", {d: `M${left} 8V${height - bottom}H${width - 8}`, class: "axis"}, frame);
    const end = Math.min(...highest);
    svg("path", {d: `M${x(0)} ${y(0)}L${x(end)} ${y(end)}`, class: "axis diagonal"}, frame);
    [0, 1].forEach(k => {
      const step = [1, 2, 5].flatMap(m => [-2, -1, 0, 1, 2, 3].map(e => m * 10 ** e)).sort((a, b) => a - b)
        .find(s => highest[k] / s <= 5) || highest[k];
      for (let value = 0; value <= highest[k]; value += step) {
        const text = String(Number(value.toPrecision(3)));
        if (k === 0) words(text, {x: x(value), y: height - bottom + 15, "text-anchor": "middle"}, frame);
        else words(text, {x: left - 6, y: y(value) + 4, "text-anchor": "end"}, frame);
      }
    });
    words(data.axes[0], {x: (left + width) / 2, y: height - 6, "text-anchor": "middle"}, frame);
    words(data.axes[1], {transform: `translate(12 ${(height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, frame);
    for (const [a, b, error] of data.points) svg("path", {d: `M${x(a)} ${y(b - error)}V${y(b + error)}`, class: "error"}, frame);
    const points = data.points.map(([a, b]) => svg("circle", {cx: x(a), cy: y(b), r: 3.5}, frame));
    const nearest = event => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(frame.getScreenCTM().inverse());
      const away = data.points.map(([a, b]) => (x(a) - at.x) ** 2 + (y(b) - at.y) ** 2);
      choose(away.indexOf(Math.min(...away)));
    };
    frame.addEventListener("pointermove", nearest);
    frame.addEventListener("pointerdown", nearest);
    return [frame, points];
  };

  const before = (holder) => [...document.querySelectorAll("figure")].filter(
    (figure) => figure.compareDocumentPosition(holder) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1);

  for (const holder of document.querySelectorAll(".explore")) {
    const data = JSON.parse(holder.querySelector("script").textContent);
    const shown = document.createElement("div");
    const picture = document.createElement("div");
    picture.className = "picture";
    picture.setAttribute("role", "img");
    picture.style.aspectRatio = `${data.width} / ${data.height}`;
    const rows = Math.ceil((Math.max(...data.frames) + 1) / data.columns);
    picture.style.backgroundSize = `${100 * data.columns}% ${100 * rows}%`;
    const range = Object.assign(document.createElement("input"), {type: "range", min: 0, max: data.frames.length - 1});
    const label = document.createElement("label");
    label.append(data.name, range);
    const text = document.createElement("output");
    let points = [], now = null;
    const choose = k => {
      if (k === now) return;
      points[now]?.classList.remove("chosen");
      now = k;
      const frame = data.frames[k], row = Math.floor(frame / data.columns), column = frame % data.columns;
      const part = (at, all) => all > 1 ? 100 * at / (all - 1) : 0;
      picture.style.backgroundPosition = `${part(column, data.columns)}% ${part(row, rows)}%`;
      picture.setAttribute("aria-label", data.labels[k]);
      range.value = k;
      range.setAttribute("aria-valuetext", data.labels[k]);
      text.textContent = data.labels[k];
      points[k]?.classList.add("chosen");
      points[k]?.parentNode.append(points[k]);
    };
    if (data.points) {
      const [frame, circles] = plot(data, choose);
      points = circles;
      shown.append(frame);
    }
    const side = document.createElement("div");
    side.append(picture, text, label);
    shown.append(side);
    shown.className = "shown";
    range.addEventListener("input", () => choose(Number(range.value)));
    choose(data.start);
    // The pictures are loaded when they come near the window.
    new IntersectionObserver((entries, observer) => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      picture.style.backgroundImage = `url("${data.sheet}")`;
      observer.disconnect();
    }, {rootMargin: "200px"}).observe(picture);
    holder.append(shown);
    if (data.points) { // the plot to point at takes the place of the printed one
      const printed = before(holder)?.querySelector("img");
      if (printed) {
        printed.hidden = true;
        printed.after(holder);
      }
    }
  }
});
