"""Sweeps: one YAML of `zoo_configs/sweep`, run by W&B's server or by its engine on this machine."""
