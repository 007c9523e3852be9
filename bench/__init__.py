"""Figures, each beside the raw limit of the same run; never part of a test. ``python -m bench``."""
