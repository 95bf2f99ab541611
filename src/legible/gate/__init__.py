"""Decides whether a candidate bundle may replace the champion: same images, differences with intervals, reasons."""
