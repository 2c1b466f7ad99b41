"use strict";
// Keeps a page current: values as they come, parts of the page by asking for them again when
// something they show has changed. Without it the page is whole, and loads itself again.
(() => {
  const link = document.getElementById("link");
  const data = document.body.dataset;
  const units = data.units.split(",");
  const flags = data.flags.split(",");
  const reasons = Object.fromEntries(data.reasons.split("|").map((pair) => pair.split("=")));
  const symbols = { Cel: "°C", "%RH": "% RH", lat: "°", lon: "°", deg: "°", m3: "m³" };
  const NBSP = "\u00a0";
  const loaded = Date.now();

  const small = (text) => {
    const element = document.createElement("small");
    element.textContent = text;
    return element;
  };
  const signed = (text) => (text.startsWith("-") ? "−" + text.slice(1) : text);

  // The same as `figure.rs` in the server.
  const shown = (point) => {
    const { value, unit, quality } = point;
    const why = reasons[point.reason] || reasons.other;
    // A bad value is no value, as in the server.
    if (value === null || value === undefined || quality === "bad") return ["— ", small(why)];
    if (quality === "uncertain") return [...shown({ value, unit }), " ", small(`(${why})`)];
    if (typeof value === "boolean") return [flags[Number(value)]];
    if (unit === "B" && typeof value === "number") {
      let size = value, name = "B";
      for (const larger of ["kB", "MB", "GB", "TB"]) {
        if (Math.abs(size) < 1000) break;
        size /= 1000;
        name = larger;
      }
      return [signed(size.toFixed(name !== "B" && Math.abs(size) < 100 ? 1 : 0)) + NBSP, small(name)];
    }
    let text = String(value);
    if (typeof value === "number") text = signed(text.length > 17 ? value.toExponential(4) : text);
    return unit ? [text + NBSP, small(symbols[unit] || unit)] : [text];
  };

  const duration = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    const [n, u] = s < 120 ? [s, 0] : s < 7200 ? [s / 60, 1] : s < 172800 ? [s / 3600, 2] : [s / 86400, 3];
    return Math.floor(n) + NBSP + units[u];
  };

  const absences = ["not_configured", "not_present", "warming_up"];
  const quality = (point) => (point.quality === "bad" && absences.includes(point.reason) ? "absent" : point.quality || "good");

  const put = (element, point) => {
    const before = element.textContent;
    element.replaceChildren(...shown(point));
    element.classList.remove("good", "uncertain", "bad", "absent", "new");
    element.classList.add(quality(point));
    // Only the tables tell a change by colour: what stands large stays calm.
    if (element.textContent === before || element.tagName !== "TD") return;
    void element.offsetWidth; // restarts the animation
    element.classList.add("new");
  };

  const restart = (age) => {
    age.dataset.since = Date.now();
    age.dataset.age = 0;
  };

  const points = (message) => {
    for (const point of message.points) {
      const series = message.source + "/" + point.name;
      const name = CSS.escape(series);
      // A row is known by where it leads: that spares the page its name a second time.
      const row = document.querySelector(`td a[href^="/chart?series=${name}&"]`)?.closest("tr");
      if (row) {
        put(row.cells[1], point);
        restart(row.cells[2]);
      } else if (document.getElementById("rest") && document.querySelectorAll(".values tbody tr").length < 200) {
        renew("rest");
        renew("charts");
      }
      document.querySelectorAll(`[data-tile="${name}"]`).forEach((tile) => put(tile, point));
      document.querySelectorAll(`[data-of="${name}"]`).forEach(restart);
      for (const part of document.querySelectorAll("[data-watch]")) {
        if (part.dataset.watch.split(" ").includes(series)) renew(part.id);
      }
    }
  };

  const tick = () => {
    const now = Date.now();
    for (const element of document.querySelectorAll("[data-age]")) {
      element.dataset.since ||= now;
      element.textContent = duration(Number(element.dataset.age) + now - element.dataset.since);
    }
    for (const element of document.querySelectorAll("[data-now]")) {
      element.dataset.since ||= now;
      const { now: then, ahead, since } = element.dataset;
      const time = new Date(Number(then) + Number(ahead) * 1000 + now - since);
      element.textContent = time.toISOString().slice(11, 19);
    }
  };

  // Asks for a part of the page again, not more often than the part says, and only while
  // somebody looks; after a failure it waits longer each time.
  const parts = {};
  const renew = (id) => {
    const part = document.getElementById(id);
    if (!part || !part.dataset.live) return;
    const own = (parts[id] ||= { at: loaded, failures: 0 });
    if (own.timer) return;
    const every = Number(part.dataset.every) * 2 ** Math.min(own.failures, 5);
    own.timer = setTimeout(() => ask(id, own), Math.max(0, own.at + every - Date.now()));
  };
  const ask = async (id, own) => {
    const part = document.getElementById(id);
    if (document.hidden || part.matches(".held") || holdsSelection(part)) {
      own.timer = 0;
      own.isLate = true;
      return;
    }
    own.isLate = false;
    own.at = Date.now();
    try {
      const answer = await fetch(part.dataset.live);
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      if (fresh) replace(part, fresh);
      own.failures = 0;
    } catch {
      own.failures += 1;
    }
    own.timer = 0;
    if (own.failures) renew(id);
  };
  const late = () => Object.keys(parts).filter((id) => parts[id].isLate).forEach(renew);
  const holdsSelection = (part) => {
    const selection = getSelection();
    return !selection.isCollapsed && part.contains(selection.anchorNode);
  };
  const replace = (part, fresh) => {
    const focus = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.replaceWith(document.adoptNode(fresh));
    if (focus) fresh.querySelector(`[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    title();
    tick();
    pointers();
  };
  const title = () => {
    const state = document.querySelector("[data-title]");
    if (!state) return;
    document.title = state.dataset.title;
    document.querySelector("link[rel=icon]").href = `/icon-${state.dataset.level}.svg`;
  };

  // What a chart says where a finger or an arrow key points.
  const pointers = () => {
    for (const plot of document.querySelectorAll("[data-rows]")) {
      const svg = plot.querySelector(".p");
      if (!svg || plot.tabIndex === 0) continue;
      plot.tabIndex = 0;
      const readout = plot.parentElement.querySelector(".readout");
      const note = readout.textContent;
      const [from, to, step, ahead] = ["from", "to", "step", "ahead"].map((name) => Number(plot.dataset[name]));
      const first = Math.floor(from / step) * step;
      const rows = plot.dataset.rows.split(";").filter(Boolean).map((row) => row.split(","));
      const times = rows.map(([n]) => first + Number(n) * step);
      const cross = document.createElementNS(svg.namespaceURI, "path");
      cross.setAttribute("class", "cross");
      svg.append(cross);
      const box = svg.viewBox.baseVal;
      let at = -1;
      const show = (index) => {
        at = Math.max(0, Math.min(rows.length - 1, index));
        if (at < 0 || !rows.length) return;
        const [, value, low, high] = rows[at];
        const local = new Date(times[at] + ahead * 1000).toISOString();
        const time = to - from > 86400000 ? local.slice(5, 16).replace("T", " ") : local.slice(11, step < 60000 ? 19 : 16);
        const unit = plot.dataset.unit && NBSP + plot.dataset.unit;
        const strong = document.createElement("b");
        strong.textContent = value + unit;
        readout.replaceChildren(time + " ", strong, low === undefined ? "" : ` ${low} … ${high}`);
        const x = Math.min(1, Math.max(0, (times[at] + step / 2 - from) / (to - from))) * box.width;
        cross.setAttribute("d", `M${x} 0V${box.height}`);
        document.getElementById("chart")?.classList.add("held");
      };
      const hide = () => {
        at = -1;
        readout.textContent = note;
        cross.removeAttribute("d");
        document.getElementById("chart")?.classList.remove("held");
        late();
      };
      const point = (event) => {
        const bounds = svg.getBoundingClientRect();
        const time = from + ((event.clientX - bounds.left) / bounds.width) * (to - from) - step / 2;
        let best = 0;
        times.forEach((t, n) => {
          if (Math.abs(t - time) < Math.abs(times[best] - time)) best = n;
        });
        show(best);
      };
      plot.addEventListener("pointermove", point);
      plot.addEventListener("pointerdown", point);
      plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
      plot.addEventListener("blur", hide);
      plot.addEventListener("keydown", (event) => {
        const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 }[event.key];
        if (event.key === "Escape") hide();
        if (!move) return;
        event.preventDefault();
        show(at < 0 ? rows.length - 1 : at + move);
      });
    }
  };

  const state = (isLive) => {
    link.textContent = isLive ? link.dataset.live : link.dataset.paused;
    link.className = isLive ? "ok" : "amber";
  };

  // One stream. The browser comes back by itself after a break, but not after a refusal.
  const changes = { state: ["now"], alarm: ["now"], health: ["now", "rest"], event: ["now"] };
  let refusals = 0;
  let wasLost = false;
  const all = () => ["now", "charts", "rest", "chart"].forEach(renew);
  const open = () => {
    const kinds = document.getElementById("now") ? "points,state,health,event,alarm" : "points";
    const stream = new EventSource("/api/v1/stream?kinds=" + kinds);
    stream.onopen = () => {
      state(true);
      if (wasLost) all();
      wasLost = false;
      refusals = 0;
    };
    stream.onerror = () => {
      state(false);
      wasLost = true;
      if (stream.readyState !== EventSource.CLOSED) return;
      setTimeout(open, 5000 * 2 ** Math.min(refusals++, 5));
    };
    stream.addEventListener("points", (event) => points(JSON.parse(event.data)));
    stream.addEventListener("lagged", all);
    for (const kind in changes) stream.addEventListener(kind, () => changes[kind].forEach(renew));
  };

  document.addEventListener("visibilitychange", () => document.hidden || late());
  state(false);
  tick();
  pointers();
  setInterval(tick, 1000);
  if (document.querySelector("[data-live]")) open();
  else link.className = link.textContent = "";
})();
