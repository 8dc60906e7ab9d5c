"""What becomes of the telecommands that were sent: delivered by COP-1, then what the reports of service 1 say.

```
 sent --> delivered --> accepted --> started --> completed
   +---------+------------+-----------+--> failed: by COP-1, a failure code, silence, or a connection that was lost
```
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from flightsw.services.pus.packet import Telemetry
from flightsw.services.pus.verification import REPORTS, REQUEST_OCTETS, Stage
from hil.ground.client.telecommand import shown
from hil.ground.station import Outcome

_CODE = REPORTS[-1].items[-1]
#: COP-1 gives up before that, and what is delivered is answered in the same frame.
LONGEST_S = 15.0


class Progress(IntEnum):
    """How far a telecommand has come."""

    SCHEDULED = 0
    SENT = 1
    DELIVERED = 2
    ACCEPTED = 3
    STARTED = 4
    COMPLETED = 5


_OF_STAGE = {
    Stage.ACCEPTANCE: Progress.ACCEPTED,
    Stage.START: Progress.STARTED,
    Stage.COMPLETION: Progress.COMPLETED,
}


@dataclass(slots=True)
class SentCommand:
    """One telecommand: what it says, its sequence count, when it was sent, how far it has come, or why it failed."""

    text: str
    sequence_count: int
    sent_s: float
    progress: Progress = Progress.SENT
    failure: str = ""

    @property
    def over(self) -> bool:
        """It is completed, or has failed."""
        return self.progress == Progress.COMPLETED or bool(self.failure)

    def __str__(self) -> str:
        state = f"failed, {self.failure}" if self.failure else self.progress.name.lower()
        return f"{self.text}, count {self.sequence_count}: {state}"


class Verification:
    """All telecommands of one contact, oldest first.

    Attributes:
        commands: those sent.
    """

    def __init__(self) -> None:
        self.commands: list[SentCommand] = []
        self._of_request: dict[bytes, SentCommand] = {}
        self._of_number: dict[int, SentCommand] = {}

    def sent(self, command: SentCommand, request: bytes, number: int | None) -> None:
        """Note a telecommand: the identifier of its reports, and its number at the station unless it is in another."""
        self.commands.append(command)
        self._of_request[request] = command
        if number is not None:
            self._of_number[number] = command

    def outcome(self, outcome: Outcome) -> SentCommand | None:
        """What COP-1 says; the telecommand if that ends it."""
        command = self._of_number.pop(outcome.number)
        if outcome.accepted:
            command.progress = max(command.progress, Progress.DELIVERED)
            return None
        return self._fail(command, f"not delivered: {outcome.why}")

    def report(self, telemetry: Telemetry) -> SentCommand | None:
        """What a report of service 1 says; the telecommand if that ends it. Reports of others' are left aside."""
        command = self._of_request.get(telemetry.data[:REQUEST_OCTETS])
        if command is None or command.over:
            return None
        stage = Stage(telemetry.subtype - (telemetry.subtype not in list(Stage)))
        if telemetry.subtype == stage:
            command.progress = max(command.progress, _OF_STAGE[stage])
            return command if command.over else None
        code = shown(_CODE, telemetry.data[REQUEST_OCTETS])
        return self._fail(command, f"{stage.name.lower()}: {code}")

    def expire(self, now_s: float) -> Iterable[SentCommand]:
        """Give up those that nothing was heard of for too long."""
        silent = [each for each in self._open() if now_s - each.sent_s > LONGEST_S]
        return [self._fail(each, f"no report within {LONGEST_S:g} s") for each in silent]

    def lose(self) -> Iterable[SentCommand]:
        """Give up those that are under way, as the connection is lost; nobody knows what became of them."""
        self._of_number.clear()
        return [self._fail(each, "the connection was lost") for each in self._open()]

    def _open(self) -> list[SentCommand]:
        return [each for each in self.commands if not each.over and each.progress != Progress.SCHEDULED]

    def _fail(self, command: SentCommand, why: str) -> SentCommand:
        command.failure = why
        return command
