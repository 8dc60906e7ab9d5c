"""Security associations, CCSDS 355.0-B-2 clause 4.2.2: what both ends agree on, and where each of them stands.

An association has a channel, an algorithm and, while it is keyed, one key and that key's counter. It goes one way: an
end either sends with it or receives. Two ends that sent with one key would use its initialization vectors twice.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from flightsw.ccsds.security.ciphers import MAC_OCTETS, SPI_OCTETS, SUITES, Cipher
from flightsw.errors import ConfigError
from flightsw.settings import Settings

Kind = Literal["tm", "aos", "uslp", "tc"]

#: Spacecraft identifiers, virtual channels that carry data, and MAPs of each kind of frame. Virtual channel 63 of AOS
#: and USLP has only idle data, which nobody protects.
_SPACECRAFT_IDS = {"tm": 1024, "aos": 256, "uslp": 65536, "tc": 1024}
_VIRTUAL_CHANNELS = {"tm": 8, "aos": 63, "uslp": 63, "tc": 64}
_MAP_IDS = {"tm": 0, "aos": 0, "uslp": 16, "tc": 64}
#: A restart of either end may give so many numbers away. Telecommands are few: each is on the disk before it counts.
_AHEAD = {"tm": 1 << 16, "aos": 1 << 16, "uslp": 1 << 16, "tc": 0}


class Verdict(IntEnum):
    """What became of a received frame. All but ACCEPTED are dropped; the first check that fails decides."""

    ACCEPTED = 0
    NOT_PROTECTED = 1
    BAD_LENGTH = 2
    BAD_CHECK = 3
    UNKNOWN_SPI = 4
    WRONG_CHANNEL = 5
    NOT_OPERATIONAL = 6
    BAD_MAC = 7
    REPLAYED = 8
    BEYOND_WINDOW = 9

    @property
    def meaning(self) -> str:
        """For an operator."""
        return _MEANINGS[self]


_MEANINGS = {
    Verdict.ACCEPTED: "authentic and new",
    Verdict.NOT_PROTECTED: "of a sort that has no security: a control command, or only idle data",
    Verdict.BAD_LENGTH: "of a wrong length",
    Verdict.BAD_CHECK: "with a wrong frame error control field",
    Verdict.UNKNOWN_SPI: "of an association that is not known here, or not for receiving",
    Verdict.WRONG_CHANNEL: "on a channel that is not its association's",
    Verdict.NOT_OPERATIONAL: "of an association that is stopped or has no key",
    Verdict.BAD_MAC: "with a wrong MAC: damaged or forged, or the ends have different keys",
    Verdict.REPLAYED: "with a sequence number that was used before",
    Verdict.BEYOND_WINDOW: "with a sequence number too far ahead",
}


class AssociationState(IntEnum):
    """CCSDS 355.1-B-1: without a key, with one, and at work."""

    UNKEYED = 0
    KEYED = 1
    OPERATIONAL = 2


class Counter(Protocol):
    """The next number, kept where a loss of power does not reach it."""

    @property
    def value(self) -> int:
        """Lowest number that was not used."""
        ...

    def raise_to(self, value: int) -> None:
        """Use all numbers below; returns when that is kept."""
        ...


class AssociationSettings(Settings):
    """What both ends agree on; `direction` and `ahead` are each end's own."""

    spi: int = Field(ge=1, le=65534, description="security parameter index; 0 and 65535 are reserved (4.1.1.2.3)")
    direction: Literal["send", "receive"]
    suite: Literal["AES-256-GCM", "AES-256-CMAC"]
    kind: Kind
    spacecraft_id: int = Field(ge=0)
    virtual_channels: tuple[int, ...] = Field(min_length=1)
    map_ids: tuple[int, ...] | None = Field(None, description="none: all, or frames have none")
    key_id: int = Field(ge=0, le=65535, description="key to begin with; rekeying replaces it")
    window: int = Field(1 << 30, gt=0, description="numbers that may be missing between two frames")
    ahead: int | None = Field(None, ge=0, description="numbers that a restart gives away; none: by the kind of frame")

    @model_validator(mode="after")
    def _fits_its_frames(self) -> Self:
        if self.spacecraft_id >= _SPACECRAFT_IDS[self.kind]:
            raise ValueError(
                f"spacecraft_id: expected 0 to {_SPACECRAFT_IDS[self.kind] - 1} in {self.kind}, "
                f"found {self.spacecraft_id}"
            )
        for name, ids, most in (
            ("virtual_channels", self.virtual_channels, _VIRTUAL_CHANNELS[self.kind]),
            ("map_ids", self.map_ids or (), _MAP_IDS[self.kind]),
        ):
            if not all(0 <= value < most for value in ids) or len(set(ids)) < len(ids):
                raise ValueError(f"{name}: expected different ones of {most} from 0 in {self.kind}, found {list(ids)}")
        if self.kind == "tc" and len(self.virtual_channels) > 1:
            raise ValueError(f"virtual_channels: expected one in tc (5.2 c), found {len(self.virtual_channels)}")
        if self.window <= self.kept_ahead:
            raise ValueError(
                f"window: expected more than the {self.kept_ahead} numbers that a restart gives away, "
                f"found {self.window}"
            )
        return self

    @property
    def kept_ahead(self) -> int:
        """Numbers that a restart of this end gives away at most."""
        return _AHEAD[self.kind] if self.ahead is None else self.ahead

    @property
    def cipher(self) -> type[Cipher]:
        """The algorithm."""
        return SUITES[self.suite]

    @property
    def overhead_octets(self) -> int:
        """Octets of security header and trailer."""
        return SPI_OCTETS + self.cipher.number_octets + MAC_OCTETS


class SecurityAssociation:
    """One association at one end.

    Attributes:
        settings: what both ends agree on.
        key_id: of the key in use, None without one.
        counter: next number to send, or lowest that is still accepted; None without a key.
    """

    def __init__(self, settings: AssociationSettings) -> None:
        self.settings = settings
        self.state = AssociationState.UNKEYED
        self.key_id: int | None = None
        self.counter: Counter | None = None
        self._cipher: Cipher | None = None

    def rekey(self, key_id: int, cipher: Cipher, counter: Counter) -> None:
        """Take a key and its counter into use. Raises ConfigError while operational."""
        self._require("rekeyed", AssociationState.UNKEYED, AssociationState.KEYED)
        self.key_id, self.counter, self._cipher = key_id, counter, cipher
        self.state = AssociationState.KEYED

    def expire(self) -> None:
        """Forget the key. Raises ConfigError unless keyed and stopped."""
        self._require("expired", AssociationState.KEYED)
        self.key_id = self.counter = self._cipher = None
        self.state = AssociationState.UNKEYED

    def start(self) -> None:
        """Begin to work. Raises ConfigError without a key, or if at work."""
        self._require("started", AssociationState.KEYED)
        self.state = AssociationState.OPERATIONAL

    def stop(self) -> None:
        """Cease to work; the key stays. Raises ConfigError if not at work."""
        self._require("stopped", AssociationState.OPERATIONAL)
        self.state = AssociationState.KEYED

    def covers(self, virtual_channel: int, map_id: int | None) -> bool:
        """Whether a channel of its spacecraft is the association's."""
        settings = self.settings
        return virtual_channel in settings.virtual_channels and (settings.map_ids is None or map_id in settings.map_ids)

    def apply(self, prefixes: Sequence[bytes], data: Sequence[bytes]) -> list[bytes]:
        """Protected data fields: security header, data, MAC. Each prefix is what lies ahead of one, masked.

        The numbers are kept before any is used. Raises ConfigError if the association does not send, is not
        operational, or its key has too few numbers left.
        """
        self._require("sent with", AssociationState.OPERATIONAL)
        cipher, counter = self._cipher, self.counter
        if self.settings.direction != "send" or cipher is None or counter is None:
            raise ConfigError(f"association {self.settings.spi}: expected one for sending, found one for receiving")
        # a receiver that has seen nothing may take 0 for seen
        first = max(counter.value, 1)
        if first + len(data) > 1 << 8 * cipher.number_octets:
            raise ConfigError(
                f"association {self.settings.spi}: expected numbers left for key {self.key_id}, found it used up: "
                "rekey the association"
            )
        counter.raise_to(first + len(data))
        numbers = range(first, first + len(data))
        return [cipher.seal(*each) for each in zip(numbers, prefixes, data, strict=True)]

    def process(self, prefixes: Sequence[bytes], protected: Sequence[bytes]) -> list[bytes | Verdict]:
        """The data of each protected data field, or why it is refused.

        A sequence number counts only where the MAC is right (4.2.4.4). That the accepted ones were seen is kept before
        they are given out. Raises ConfigError if that fails.
        """
        cipher, counter = self._cipher, self.counter
        if self.state is not AssociationState.OPERATIONAL or cipher is None or counter is None:
            return [Verdict.NOT_OPERATIONAL] * len(protected)
        least = self.settings.overhead_octets
        lowest, window = counter.value, self.settings.window
        results: list[bytes | Verdict] = []
        for prefix, field in zip(prefixes, protected, strict=True):
            if len(field) < least:
                results.append(Verdict.BAD_LENGTH)
                continue
            data = cipher.open(prefix, field)
            number = cipher.number(field)
            if data is None:
                results.append(Verdict.BAD_MAC)
            elif number < lowest:
                results.append(Verdict.REPLAYED)
            elif number >= lowest + window:
                results.append(Verdict.BEYOND_WINDOW)
            else:
                lowest = number + 1
                results.append(data)
        if lowest > counter.value:
            counter.raise_to(lowest)
        return results

    def _require(self, verb: str, *states: AssociationState) -> None:
        if self.state not in states:
            expected = " or ".join(state.name.lower() for state in states)
            raise ConfigError(
                f"association {self.settings.spi} to be {verb}: expected it {expected}, found {self.state.name.lower()}"
            )


class Associations:
    """All associations of one end."""

    def __init__(self, settings: Sequence[AssociationSettings]) -> None:
        """Raise ConfigError for an index that is there twice."""
        self._by_spi = {each.spi: SecurityAssociation(each) for each in settings}
        if len(self._by_spi) < len(settings):
            raise ConfigError(f"associations: expected each SPI once, found {[each.spi for each in settings]}")

    def __iter__(self) -> Iterator[SecurityAssociation]:
        return iter(self._by_spi.values())

    def __getitem__(self, spi: int) -> SecurityAssociation:
        """One of them. Raises ConfigError if there is none."""
        if spi not in self._by_spi:
            raise ConfigError(f"association: expected one of {sorted(self._by_spi)}, found {spi}")
        return self._by_spi[spi]

    def of(self, kind: Kind, spacecraft_id: int) -> list[SecurityAssociation]:
        """Those of one master channel."""
        return [each for each in self if each.settings.kind == kind and each.settings.spacecraft_id == spacecraft_id]

    def sender(self, kind: Kind, spacecraft_id: int, virtual_channel: int, map_id: int | None) -> SecurityAssociation:
        """The one that is at work for a channel. Raises ConfigError if there is none: nothing is sent in the clear."""
        for each in self.of(kind, spacecraft_id):
            working = each.state is AssociationState.OPERATIONAL and each.settings.direction == "send"
            if working and each.covers(virtual_channel, map_id):
                return each
        raise ConfigError(
            f"{kind} spacecraft {spacecraft_id} virtual channel {virtual_channel}"
            f"{'' if map_id is None else f' MAP {map_id}'}: expected an operational association to send with, "
            "found none: start one"
        )
