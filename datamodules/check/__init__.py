"""What a training root holds: what is broken, and what its splits share."""
