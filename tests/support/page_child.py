"""The child process of page reading for tests: how it takes and sends frames; what it does with them, a test says."""

FRAMES = """
import json, os, struct, sys, time
def read():
    head = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack(">I", head)[0]) if head else sys.exit()
def write(*frames):
    for frame in frames:
        sys.stdout.buffer.write(struct.pack(">I", len(frame)) + frame)
    sys.stdout.buffer.flush()
"""
"""The begin of its source: `read()` returns the next frame, `write(*frames)` sends some."""
