"""The page in a browser behind `python -m animators app`; wants the extra `app` (gradio)."""
