"""What an operator is told while he does something else."""

from typing import NamedTuple

from flightsw.services.events import Severity


class Note(NamedTuple):
    """One line: who says it, when by the clock on board (None: before there was one), how grave it is, and what."""

    who: str
    time_s: float | None
    severity: Severity
    text: str

    def __str__(self) -> str:
        when = "-" if self.time_s is None else f"{self.time_s:.2f} s"
        return f"{self.who:8} {when:>11}  {self.severity.name:6}  {self.text}"
