"use strict";
// The address as this browser knows it: behind a proxy the server may not.
const address = new URL(".", document.baseURI).href.replace(/\/$/, "");
for (const place of document.querySelectorAll("[data-address]")) place.textContent = address;
