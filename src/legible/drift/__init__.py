"""Drift: from the numbers of a window to a verdict: does what is read now still look like the reference?"""
