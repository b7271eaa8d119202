"""The one error that exporting raises, in a module of its own so that all of its parts can."""


class ExportError(RuntimeError):
    """A PDF, page or page map cannot be made; the message says why and what to do about it."""
