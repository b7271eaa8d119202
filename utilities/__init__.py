"""Data, local tests and figures behind the notebook; nothing here is uploaded for grading."""
