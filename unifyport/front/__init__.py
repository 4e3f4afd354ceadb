"""The HTTP server: hypercorn on trio, and ASGI wrappers around the application."""
