"""What the served artefact gets right, how sure it may be, whether it may ship, and the bundle it ships in."""
