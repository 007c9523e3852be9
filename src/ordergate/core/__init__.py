"""The pure core: what is decided, and from what. No input or output, no clock, no randomness, no ``async``."""
