"""The API, `/api/v1`: the page uses it, and other programs may; /openapi.json describes it."""
