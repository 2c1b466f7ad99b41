"use strict";
// Keeps the page current: values as they come, the rest by asking for it again.
(() => {
  const page = document.getElementById("page");
  const link = document.getElementById("link");
  const units = document.body.dataset.units.split(",");
  const lang = document.documentElement.lang;
  const symbols = { Cel: "°C", "%RH": "% RH", lat: "°", lon: "°", deg: "°", m3: "m³" };
  const QUIET_MS = 2000; // at most one new page in two seconds
  let loaded = Date.now();
  let asked = 0;

  const small = (text) => {
    const element = document.createElement("small");
    element.textContent = text;
    return element;
  };

  // The same as `with_unit` in the server.
  const shown = (point) => {
    if (point.value === null) return ["— ", small(point.reason || "")];
    if (point.unit === "B" && typeof point.value === "number") {
      let size = point.value, unit = "B";
      for (const larger of ["kB", "MB", "GB", "TB"]) {
        if (Math.abs(size) < 1000) break;
        size /= 1000;
        unit = larger;
      }
      return [size.toFixed(unit !== "B" && Math.abs(size) < 100 ? 1 : 0) + " ", small(unit)];
    }
    if (!point.unit) return [String(point.value)];
    return [point.value + " ", small(symbols[point.unit] || point.unit)];
  };

  const duration = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    const [n, u] = s < 120 ? [s, 0] : s < 7200 ? [s / 60, 1] : s < 172800 ? [s / 3600, 2] : [s / 86400, 3];
    return Math.floor(n) + " " + units[u];
  };

  const put = (element, point) => {
    const before = element.textContent;
    element.replaceChildren(...shown(point));
    if (element.textContent === before) return;
    element.classList.remove("new");
    void element.offsetWidth; // restarts the animation
    element.classList.add("new");
  };

  const points = (message) => {
    for (const point of message.points) {
      const series = CSS.escape(message.source + "/" + point.name);
      const row = page.querySelector(`tr[data-series="${series}"]`);
      if (!row) {
        refresh();
        continue;
      }
      const [, value, age] = row.cells;
      put(value, point);
      value.classList.remove("good", "uncertain", "bad");
      value.classList.add(point.quality);
      age.dataset.since = Date.now();
      age.dataset.age = 0;
      page.querySelectorAll(`[data-tile="${series}"]`).forEach((tile) => put(tile, point));
    }
  };

  const tick = () => {
    const now = Date.now();
    for (const element of page.querySelectorAll("[data-age]")) {
      const since = Number(element.dataset.since || loaded);
      element.textContent = duration(Number(element.dataset.age) + now - since);
    }
    for (const element of page.querySelectorAll("[data-now]")) {
      const time = new Date(Number(element.dataset.now) + now - loaded);
      element.textContent = time.toISOString().slice(11, 19);
    }
  };

  const refresh = () => {
    if (asked) return;
    const wait = Math.max(0, loaded + QUIET_MS - Date.now());
    asked = setTimeout(async () => {
      try {
        const answer = await fetch("/live?lang=" + lang);
        if (answer.ok) {
          page.innerHTML = await answer.text();
          loaded = Date.now();
        }
      } catch {
        // The stream's own return asks again.
      }
      asked = 0;
      tick();
    }, wait);
  };

  const state = (isLive) => {
    link.textContent = isLive ? link.dataset.live : link.dataset.paused;
    link.className = isLive ? "ok" : "amber";
  };

  let wasLost = false;
  const stream = new EventSource("/api/v1/stream?kinds=points,state,health,event,alarm");
  stream.onopen = () => {
    state(true);
    if (wasLost) refresh();
    wasLost = false;
  };
  stream.onerror = () => {
    state(false);
    wasLost = true;
  };
  stream.addEventListener("points", (event) => points(JSON.parse(event.data)));
  for (const kind of ["state", "health", "event", "alarm", "lagged"]) stream.addEventListener(kind, refresh);
  state(false);
  setInterval(tick, 1000);
})();
