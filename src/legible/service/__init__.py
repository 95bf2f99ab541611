"""The HTTP service: one ASGI application, mounted into a BentoML service."""
