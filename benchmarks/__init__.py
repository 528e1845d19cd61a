"""Benchmarks: checkpoints in, records and tables out; nobody imports this package."""
