"""HTTP: the dispatcher, the envelope, errors, cursors, and the OpenAPI document."""
