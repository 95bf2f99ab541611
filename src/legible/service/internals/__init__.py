"""Private parts of libraries that the service relies on: a file a library, and nothing of the kind elsewhere.

`tests/test_internals.py` notices when a new version moves one of them.
"""
