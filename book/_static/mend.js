// What the theme leaves unclear to those who hear a page or use no mouse.
document.addEventListener("DOMContentLoaded", () => {
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
  for (const button of document.querySelectorAll(".search-button-field, details.hide > summary")) button.removeAttribute("aria-label");
  for (const icon of document.querySelectorAll(".theme-switch-button i")) icon.setAttribute("aria-hidden", "true");
  for (const summary of document.querySelectorAll(".bd-sidenav details > summary")) {
    summary.setAttribute("aria-label", `Pages of ${summary.closest("li").querySelector("a").textContent.trim()}`);
  }
  window.MathJax?.startup?.promise?.then(reachable);
});

// A figure of several panels, on a narrow screen: one panel a row, each the same picture seen through a window.
document.addEventListener("DOMContentLoaded", () => {
  const narrow = matchMedia("(max-width: 600px)");
  for (const whole of document.querySelectorAll('img[class*="cut-"]')) {
    const cuts = [0, ...whole.className.match(/cut-([\d-]+)/)[1].split("-").map(Number), 1000];
    let panels = null;
    const arrange = () => {
      if (narrow.matches && !panels) {
        panels = document.createElement("div");
        panels.className = "panels";
        for (let k = 1; k < cuts.length; k++) {
          const part = document.createElement("div"), seen = whole.cloneNode(), share = (cuts[k] - cuts[k - 1]) / 1000;
          seen.style.width = `${100 / share}%`;
          seen.style.marginLeft = `${-cuts[k - 1] / 10 / share}%`;
          if (k > 1) seen.alt = `${whole.alt} (panel ${k})`;
          part.append(seen);
          panels.append(part);
        }
        whole.after(panels);
      }
      if (panels) panels.hidden = !narrow.matches;
      whole.hidden = Boolean(panels) && narrow.matches;
    };
    arrange();
    narrow.addEventListener("change", arrange);
  }
});

// A formula that is wider than the page is scrolled by keyboard too.
const reachable = () => {
  for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
  }
};
