"""The HTTP server: hypercorn on trio, and the ASGI plumbing below the application."""
