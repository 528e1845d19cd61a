"""One self-contained page that shows animators side by side, and the films that it shows."""
