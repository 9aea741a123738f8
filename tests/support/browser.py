"""A headless Chromium that opens pages of the book and answers questions about them (DevTools protocol).

Only for tests and benchmarks; where there is no Chromium they are skipped.
"""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import requests
import websocket

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE, DESKTOP = (390, 844), (1400, 900)
MISSING_GLYPHS = """(() => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const drawn = (font, letter) => {
    pen.canvas.width = pen.canvas.height = 48;
    pen.font = font.replace(/[\\d.]+px/, "32px");
    pen.fillText(letter, 4, 36);
    return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const found = new Set(), seen = new Set();
  const look = (font, text) => {
    for (const letter of text) {
      if (letter <= "~" || seen.has(font + letter)) continue;
      seen.add(font + letter);
      if (letter.trim() && drawn(font, letter) === drawn(font, "\\u{10FFFE}")) found.add(letter);
    }
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    if (!parent.checkVisibility()) continue;
    look(getComputedStyle(parent).font, texts.currentNode.data);
  }
  for (const part of document.querySelectorAll("body *"))
    for (const side of ["::before", "::after"]) {
      const style = getComputedStyle(part, side);
      if (style.content.startsWith('"') && part.checkVisibility()) look(style.font, style.content);
    }
  return [...found];
})()"""
TOO_WIDE = """(() => {
  const found = document.documentElement.scrollWidth > innerWidth
    ? [`the page is ${document.documentElement.scrollWidth} px wide`] : [];
  for (const box of document.querySelectorAll("article *")) {
    const place = box.getBoundingClientRect();
    if (place.width && place.right > innerWidth + 1 && box.checkVisibility()) {
      let around = box.parentElement;
      while (around && getComputedStyle(around).overflowX === "visible") around = around.parentElement;
      if (!around || around === document.documentElement || around === document.body)
        found.push(`${box.tagName} ${box.className} ends at ${Math.round(place.right)} px`);
    }
  }
  return found.slice(0, 5);
})()"""


class Browser:
    """One tab. Use it in a `with` statement."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [
                PROGRAM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                "--no-first-run",
                "--disable-background-networking",
                "--hide-scrollbars",
                f"--user-data-dir={self._folder.name}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        file = Path(self._folder.name) / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not (file.exists() and file.read_text().count("\n")) and time.monotonic() < until:
            time.sleep(0.05)
        port = file.read_text().splitlines()[0]
        tabs = requests.get(f"http://127.0.0.1:{port}/json", timeout=30).json()
        address = next(tab for tab in tabs if tab["type"] == "page")["webSocketDebuggerUrl"]
        self._link = websocket.create_connection(address, timeout=120, suppress_origin=True)
        self._count, self.events = 0, []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self._link.close()
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def call(self, method, **params):
        """Send one command; returns its result. Events that come meanwhile are kept in `events`."""
        self._count += 1
        self._link.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while (message := json.loads(self._link.recv())).get("id") != self._count:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def ask(self, script):
        """Return the value of a JavaScript expression on the page (a promise is waited for)."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", "failed"))
        return answer["result"].get("value")

    def look(self, *, size=DESKTOP, dark=False):
        """Set the size of the window, and whether the reader's system is dark, of pages to come."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def open(self, url):
        """Open a page and wait until it has loaded and its formulas are set."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self._link.recv()))
        self.ask("Promise.resolve(window.MathJax?.startup?.promise).then(() => true)")

    def errors(self):
        """Return what the page complained about on the console since it was opened."""
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"].get("text", "exception"))
            elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in (
                "error",
                "assert",
                "warning",
            ):
                found.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        return found
