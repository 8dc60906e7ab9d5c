"""Octets that nobody is to see."""


class Secret:
    """Octets that show in no log, record or traceback, not even where that shows local variables."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be written elsewhere")

    def reveal(self) -> bytes:
        """The octets, to be handed on at once and kept in no variable."""
        return self._octets
