"""One spacecraft in contact: its line, its station, what it told, the telecommands and files to it.

A line that is lost is connected again, for as long as the session lasts. Then the station begins anew, as the
spacecraft may be another by then.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from flightsw.ccsds.security.association import Verdict
from flightsw.ccsds.space_packet import SEQUENCE_COUNTS
from flightsw.errors import BeamlockError, DeviceDisconnected, DeviceError, DeviceTimeout
from flightsw.services.dictionary import COMMANDS
from flightsw.services.events import Severity
from flightsw.services.ground_channel import GroundChannel
from flightsw.services.keys import KeyStore
from flightsw.services.pus import verification
from flightsw.services.pus.packet import Telecommand, build_telecommand, parse_telemetry
from flightsw.services.security import SecurityServices
from hil.ground.client.archive import Archive
from hil.ground.client.files import GroundFiles
from hil.ground.client.identification import Identification
from hil.ground.client.line import Line, open_line
from hil.ground.client.note import Note
from hil.ground.client.own_keys import carry_out
from hil.ground.client.telecommand import Request
from hil.ground.client.verification import Progress, SentCommand, Verification
from hil.ground.port import PortAddress
from hil.ground.spacecraft import open_security
from hil.ground.station import GroundStation

#: A spacecraft sends ten frames a second.
_SILENCE_S = 5.0
_AGAIN_S = 0.5
_TOLD_EVERY_S = 1.0
_INSERT = COMMANDS["SCHEDULE_INSERT"]


class Contact:
    """One spacecraft; `close` it.

    Attributes:
        name: of the spacecraft, or its address until it was heard.
        archive: what it told.
        verification: of the telecommands to it.
        problem: what keeps it from being heard, or None.
        undecoded: packets that are not the dictionary's.
    """

    def __init__(
        self,
        address: PortAddress,
        notes: deque[Note],
        names: dict[int, str],
        first_key: int,
        keys: KeyStore | None = None,
        key_file: Path | None = None,
        folder: Path | None = None,
        line: Callable[[PortAddress], Line] = open_line,
    ) -> None:
        """`notes`: takes what an operator should read; `names`: of spacecraft by their identifiers; `keys`: for a link
        with security, from `key_file`; `folder`: of files, none for none.
        """
        self.address = address
        self.name = str(address)
        self.archive = Archive()
        self.verification = Verification()
        self.problem: DeviceError | None = None
        self.undecoded = 0
        self._notes = notes
        self._names = names
        self._first_key = first_key
        self._keys = keys
        self._key_file = key_file
        self._folder = folder
        self._open_line = line
        self._line: Line | None = None
        self._station: GroundStation | None = None
        self._channel: GroundChannel | None = None
        self._security: SecurityServices | None = None
        self._files: GroundFiles | None = None
        self._identification = Identification(first_key)
        self._stack = ExitStack()
        self._heard_s = self._again_s = self._told_s = -1e9
        self._now_s = 0.0
        self._verdicts: dict[Verdict, int] = {}
        # where no earlier session was, unless it sent more than one telecommand a second: requests of the schedule and
        # reports are told apart by this
        self._next_count = int(time.time()) % SEQUENCE_COUNTS

    @property
    def is_up(self) -> bool:
        """The spacecraft is heard."""
        return self._station is not None

    @property
    def files(self) -> GroundFiles:
        """Files to and from it. Raises DeviceDisconnected until it was heard."""
        if self._files is None:
            raise DeviceDisconnected(f"{self.name}: expected a spacecraft that was heard, found: {self.problem}")
        return self._files

    def fileno(self) -> int | None:
        """The line's descriptor, if there is a line."""
        return None if self._line is None else self._line.fileno()

    def close(self) -> None:
        """Let the line and all files go."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._stack.close()

    def turn(self, now_s: float) -> None:
        """One round: take in what came, send what is due. `now_s`: of a clock that does not run back.

        Raises ConfigError for keys and files that are not as they must be, DeviceAccess for a port that is taken.
        """
        self._now_s = now_s
        if self._line is None:
            if now_s < self._again_s:
                return
            self._line = self._open_line(self.address)
            self._heard_s = now_s
        try:
            octets = self._line.receive()
            if octets:
                self._heard_s = now_s
            elif self.is_up and now_s - self._heard_s > _SILENCE_S:
                raise DeviceTimeout(f"{self.address}: expected frames, found none for {_SILENCE_S:g} s: see its run")
            self._take(octets)
            if self._station is not None:
                self._line.send(self._station.send(now_s))
        except DeviceError as error:
            self._lose(error)
            return
        for outcome in [] if self._station is None else self._station.outcomes:
            self._tell_over(self.verification.outcome(outcome))
        if self._station is not None:
            self._station.outcomes.clear()
        for silent in self.verification.expire(now_s):
            self._tell_over(silent)
        self._look_at_files()
        self._look_at_verdicts()

    def command(self, request: Request, at_s: float | None = None) -> SentCommand:
        """Send a telecommand, or put it into the schedule for `at_s`, in s since the epoch of the run.

        Raises DeviceDisconnected while the spacecraft is not heard, and FrameError for one that no frame can carry.
        """
        if self._station is None:
            raise DeviceDisconnected(f"{self.name}: expected a spacecraft that is heard, found: {self.problem}")
        packet, telecommand = self._packet(request)
        now_s, text = self._now_s, str(request)
        if at_s is not None:
            later = SentCommand(f"{text} at {at_s:.2f} s", telecommand.sequence_count, now_s, Progress.SCHEDULED)
            self.verification.sent(later, telecommand.request, None)
            packet, telecommand = self._packet(Request(_INSERT, (round(at_s * 1e6), packet)))
            text = f"{_INSERT.name} {later.text}"
        number = self._station.command(packet)
        command = SentCommand(text, telecommand.sequence_count, now_s)
        self.verification.sent(command, telecommand.request, number)
        return command

    def own(self, request: Request) -> str:
        """Carry out at this end of the link what a telecommand asks for. Raises ConfigError as `carry_out` does."""
        return carry_out(request, self._security)

    def state(self) -> str:
        """How the link is, in one line."""
        if self._station is None:
            return f"{self.address}: {self.problem or 'not heard yet'}"
        clcw = self._station.clcw
        up = "not ready" if clcw is None or not self._station.ready else f"in order, {clcw.report_value} is next"
        parts = [self._about(), f"telecommands {up}"]
        if self._verdicts:
            parts.append(f"frames dropped: {', '.join(f'{n} {each.name}' for each, n in self._verdicts.items())}")
        if self.undecoded:
            parts.append(f"{self.undecoded} packets not understood")
        return "; ".join(parts)

    def tell(self, severity: Severity, text: str) -> None:
        """Note something for the operator."""
        self._notes.append(Note(self.name, self.archive.now_s, severity, text))

    def _take(self, octets: bytes) -> None:
        if self._station is None:
            channel = self._identification.push(octets)
            if channel is None:
                return
            octets = self._identification.octets
            self._begin(channel)
        assert self._station is not None
        for packet in self._station.receive(octets):
            try:
                telemetry = parse_telemetry(packet)
                if telemetry.service == verification.SERVICE:
                    self.archive.now_s = telemetry.time_us * 1e-6
                    self._tell_over(self.verification.report(telemetry))
                elif (told := self.archive.take(telemetry)) is not None:
                    self.tell(*told)
            except BeamlockError as error:
                self.undecoded += 1
                if self.undecoded == 1:
                    hint = "" if self._security else "; a link with security needs --keys FILE"
                    self.tell(Severity.LOW, f"a packet is not understood, and more may follow: {error}{hint}")

    def _begin(self, channel: GroundChannel) -> None:
        """Start with a spacecraft that was heard."""
        if channel != self._channel:
            self._stack.close()
            self._channel = None
            self.name = self._names.get(channel.spacecraft_id, f"sc{channel.spacecraft_id}")
            self._files = GroundFiles(self._folder, self.name, channel.spacecraft_id)
            self._stack.callback(self._files.close)
            if self._keys is not None and self._key_file is not None:
                path = self._key_file.with_name(f"{self._key_file.name}.associations-{channel.spacecraft_id}")
                self._security = open_security(channel, self._keys, path, on_board=False)
                self._stack.callback(self._security.close)
            self._channel = channel
        self._station = GroundStation(channel, self.files.entity, self._security)
        self._verdicts = {}
        self.archive.begin()
        self.problem = None
        self.tell(Severity.INFO, f"heard at {self._about()}")

    def _about(self) -> str:
        assert self._channel is not None
        secured = "in the clear" if self._security is None else f"keys from {self._channel.first_key} on"
        return f"{self.address}, spacecraft {self._channel.spacecraft_id}, {self._channel.kind}, {secured}"

    def _lose(self, error: DeviceError) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        self._again_s = self._now_s + _AGAIN_S
        if self.problem is None:
            self.tell(Severity.LOW if self.is_up else Severity.INFO, f"{error}; trying again")
        self.problem = error
        self._station = None
        self._identification = Identification(self._first_key)
        for command in self.verification.lose():
            self._tell_over(command)

    def _packet(self, request: Request) -> tuple[bytes, Telecommand]:
        kind = request.kind
        telecommand = Telecommand(kind.service, kind.subtype, kind.encode(*request.values), self._next_count)
        self._next_count = (self._next_count + 1) % SEQUENCE_COUNTS
        return build_telecommand(telecommand), telecommand

    def _tell_over(self, command: SentCommand | None) -> None:
        if command is not None:
            self.tell(Severity.LOW if command.failure else Severity.INFO, str(command))

    def _look_at_files(self) -> None:
        for transfer in () if self._files is None else self._files.finished():
            way = "sent" if transfer.sent else "arrived"
            if transfer.complete:
                self.tell(Severity.INFO, f"{transfer.name}: {way}")
            else:
                self.tell(Severity.LOW, f"{transfer.name}: not {way}: {transfer.condition.name}")

    def _look_at_verdicts(self) -> None:
        """Say, at most once a second, which frames security has dropped."""
        if self._station is None or self._now_s - self._told_s < _TOLD_EVERY_S:
            return
        for verdict, n in self._station.verdicts.items():
            fresh = n - self._verdicts.get(verdict, 0)
            if verdict > Verdict.NOT_PROTECTED and fresh:
                self._told_s = self._now_s
                self._verdicts[verdict] = n
                self.tell(Severity.MEDIUM, f"{fresh} frames were dropped: {verdict.name}, {verdict.meaning}")
