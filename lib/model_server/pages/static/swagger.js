"use strict";
const place = document.getElementById("swagger-ui");
// Absolute here, in the browser: the specification's own address is what its relative server is resolved against.
const specification = new URL(place.dataset.specification, document.baseURI).href;
SwaggerUIBundle({ domNode: place, url: specification, deepLinking: true, tryItOutEnabled: true, tagsSorter: "alpha", validatorUrl: null });
