//! The on-device API: REST with generated OpenAPI and Swagger, live stream, history and a live page.
