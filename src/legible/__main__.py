"""`python -m legible`, the same as `legible`."""

from legible.cli import main

if __name__ == "__main__":
    main()
