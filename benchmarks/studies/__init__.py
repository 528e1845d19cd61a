"""Questions about parts of animators; nothing else imports them, and they may name models."""
