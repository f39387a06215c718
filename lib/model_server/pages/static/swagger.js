"use strict";
// Swagger UI's dark theme is a class of its own; the system says which of the two is wanted.
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();
const place = document.getElementById("swagger-ui");
// Absolute here, in the browser: the specification's own address is what its relative server is resolved against.
const specification = new URL(place.dataset.specification, document.baseURI).href;
SwaggerUIBundle({ domNode: place, url: specification, deepLinking: true, tryItOutEnabled: true, validatorUrl: null });
