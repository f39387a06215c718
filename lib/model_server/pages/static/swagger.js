"use strict";
const place = document.getElementById("swagger-ui");
SwaggerUIBundle({ domNode: place, url: place.dataset.specification, deepLinking: true, validatorUrl: null });
