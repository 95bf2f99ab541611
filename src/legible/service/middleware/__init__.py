"""The middleware before the application: each is one small ASGI class that refuses a request or lets it through."""
