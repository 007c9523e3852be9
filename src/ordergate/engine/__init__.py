"""The engine: everything a risk group's decisions pass through, in turn. ``writer`` is the spine."""
