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

// A formula that is wider than the page is scrolled by keyboard too.
const reachable = () => {
  for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
  }
};
