"""What stands before the application: each is one small ASGI class that refuses or lets through."""
