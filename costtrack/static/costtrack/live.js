/* Renews the content of an open page: asks with the last ETag, and changes nothing on a 304. Rests while hidden.
   Where the server tells of changes (Server-Sent Events), it asks when told, and else only now and then. */
(() => {
  "use strict";
  const live = document.getElementById("ct-live");
  const seconds = Number(live && live.dataset.seconds);
  if (!seconds) return;
  const asOf = document.getElementById("ct-as-of");
  const badge = document.getElementById("ct-open-alerts");
  let etag = "";
  let timer = 0;
  let asked = null;
  let events = null;

  const isBusy = () => {
    const focused = document.activeElement;
    return live.contains(focused) && focused.matches("input, select, textarea");
  };

  const show = (text) => {
    const open = new Set([...live.querySelectorAll("details[open][id]")].map((one) => one.id));
    const closed = new Set([...live.querySelectorAll("details:not([open])[id]")].map((one) => one.id));
    const focused = live.contains(document.activeElement) ? document.activeElement : null;
    const address = focused && focused.getAttribute("href");
    const scrolled = [...live.querySelectorAll(".ct-scroll")].map((one) => one.scrollLeft);
    live.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    for (const one of live.querySelectorAll("details[id]")) {
      if (open.has(one.id)) one.open = true;
      if (closed.has(one.id)) one.open = false;
    }
    live.querySelectorAll(".ct-scroll").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
    if (!focused) return;
    const again = focused.id
      ? document.getElementById(focused.id)
      : [...live.querySelectorAll("a[href]")].find((one) => one.getAttribute("href") === address);
    if (again) again.focus({ preventScroll: true });
  };

  const tell = (response) => {
    const when = response.headers.get("Costtrack-As-Of");
    const count = response.headers.get("Costtrack-Open-Alerts");
    if (when && asOf) asOf.textContent = when;
    if (count !== null && badge) {
      badge.querySelector(".ct-number").textContent = count;
      badge.hidden = count === "0";
    }
  };

  const renew = async () => {
    timer = 0;
    if (document.hidden) return;
    if (!isBusy()) {
      asked = new AbortController();
      try {
        const headers = { "Costtrack-Part": "content" };
        if (etag) headers["If-None-Match"] = etag;
        const response = await fetch(location.href, { headers, credentials: "same-origin", signal: asked.signal });
        if (response.redirected || [401, 403, 404].includes(response.status)) {
          live.dataset.state = "ended"; // logged out, or it is not there any more: a reload tells
          return;
        }
        if (response.status === 200) {
          const text = await response.text();
          if (!isBusy()) {
            show(text);
            etag = response.headers.get("ETag") || "";
          }
        }
        if (response.status === 200 || response.status === 304) {
          tell(response);
          live.dataset.state = "renewed";
        }
      } catch (error) {
        if (error.name !== "AbortError") live.dataset.state = "away"; // the next time it may be there again
      }
    }
    wait();
  };

  const wait = () => {
    window.clearTimeout(timer);
    const isTold = events && events.readyState === EventSource.OPEN;
    timer = document.hidden ? 0 : window.setTimeout(renew, seconds * (isTold ? 8000 : 1000));
  };

  const listen = () => {
    if (!live.dataset.events || events || document.hidden || live.dataset.state === "ended") return;
    events = new EventSource(live.dataset.events);
    events.addEventListener("changed", renew);
    events.addEventListener("ended", () => {
      live.dataset.state = "ended";
      silence();
    });
    events.addEventListener("open", () => { live.dataset.told = "yes"; });
  };

  const silence = () => {
    if (events) events.close();
    events = null;
    delete live.dataset.told;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      window.clearTimeout(timer);
      if (asked) asked.abort();
      silence();
    } else if (live.dataset.state !== "ended") {
      renew();
      listen();
    }
  });
  window.addEventListener("pagehide", () => { window.clearTimeout(timer); if (asked) asked.abort(); silence(); });
  wait();
  listen();
})();
