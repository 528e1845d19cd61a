"""Numbers, tables, galleries and speed of trained animators."""
