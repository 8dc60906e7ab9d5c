"""Link profiles: what two modems agree on before the first bit, as TOML files.

`[frame]` says which transfer frames are carried, `[coding]` what is done to them on the way to the line. Profiles that
ship are in `profiles/`. A profile that contradicts itself is refused with both numbers.
"""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from flightsw.ccsds.coding.ldpc import QuasiCyclicLdpc
from flightsw.ccsds.coding.ldpc_ar4ja import Ar4ja
from flightsw.ccsds.coding.ldpc_c2 import LdpcC2
from flightsw.ccsds.coding.reed_solomon import ReedSolomon
from flightsw.ccsds.frame_formats import frame_format
from flightsw.ccsds.transfer_frame import FrameFormat
from flightsw.errors import ConfigError
from flightsw.settings import Settings

BlockCode = ReedSolomon | QuasiCyclicLdpc | None


class FrameProfile(Settings):
    """The transfer frames of the link."""

    kind: Literal["tm", "aos", "uslp"]
    length_octets: int = Field(gt=12, le=65536)
    fecf: bool = Field(True, description="the last two octets are a CRC-16 that the receiver checks")
    spacecraft_id: int = Field(ge=0, le=65535)
    virtual_channel: int = Field(ge=0, le=63)

    def format(self) -> FrameFormat:
        """The managed parameters of these frames. Raises ConfigError for what the standard does not allow."""
        return frame_format(self.kind, self.length_octets, self.spacecraft_id, "crc16" if self.fecf else "none")


class CodingProfile(Settings):
    """Block code, randomizer, channel interleaver, convolutional code and sync marker, in the order of their use."""

    block: Literal["none", "rs", "ldpc-c2", "ar4ja"]
    rs_e: Literal[16, 8] = 16
    rs_interleave: Literal[1, 2, 3, 4, 5, 8] = 5
    rs_virtual_fill: int = Field(0, ge=0, description="octets per codeblock, a multiple of the interleave")
    rs_basis: Literal["dual", "conventional"] = "dual"
    ar4ja_k: Literal[1024, 4096, 16384] = 4096
    ar4ja_rate: Literal["1/2", "2/3", "4/5"] = "1/2"
    randomizer: Literal["none", "131071", "255"] = "131071"
    interleaver_ms: float = Field(0.0, ge=0, le=10_000, description="depth of the channel interleaver; 0 for none")
    convolutional: Literal["none", "1/2", "2/3", "3/4", "5/6", "7/8"] = "none"
    sync_marker: str = Field("1ACFFC1D", description="octets in hexadecimal")

    @field_validator("sync_marker")
    @classmethod
    def _hexadecimal(cls, marker: str) -> str:
        try:
            octets = bytes.fromhex(marker)
        except ValueError:
            raise ValueError("expected hexadecimal octets, as in 1ACFFC1D") from None
        if not 4 <= len(octets) <= 8:
            raise ValueError(f"expected a marker of 4 to 8 octets, found {len(octets)}")
        return marker

    @property
    def marker(self) -> bytes:
        """The sync marker's octets."""
        return bytes.fromhex(self.sync_marker)

    def block_code(self) -> BlockCode:
        """The block code. Raises ConfigError for parameters that contradict each other."""
        if self.block == "rs":
            return ReedSolomon(self.rs_e, self.rs_interleave, self.rs_virtual_fill, self.rs_basis)
        if self.block == "ldpc-c2":
            return LdpcC2()
        if self.block == "ar4ja":
            return Ar4ja(self.ar4ja_k, self.ar4ja_rate)
        return None


class LinkProfile(Settings):
    """Everything about a link's bits."""

    description: str = ""
    frame: FrameProfile
    coding: CodingProfile

    @model_validator(mode="after")
    def _frames_fill_codeblocks(self) -> Self:
        try:
            code = self.coding.block_code()
            self.frame.format()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if code is not None and code.k != self.frame.length_octets:
            raise ValueError(
                f"frame.length_octets: expected the code's {code.k} information octets, "
                f"found {self.frame.length_octets}"
            )
        return self


def shipped() -> dict[str, str]:
    """Names of the profiles that come with the package, each with its description."""
    folder = files("flightsw.ccsds").joinpath("profiles")
    entries = sorted((e for e in folder.iterdir() if e.name.endswith(".toml")), key=lambda e: e.name)
    return {e.name.removesuffix(".toml"): str(tomllib.loads(e.read_text())["description"]) for e in entries}


def load(name: str) -> LinkProfile:
    """A profile by path, or by the name of one that is shipped. Raises ConfigError in one line that names the key."""
    path = Path(name)
    if not name.endswith(".toml"):
        known = shipped()
        if name not in known:
            raise ConfigError(f"profile {name}: expected a TOML file or one of {', '.join(known)}; found neither")
        path = Path(str(files("flightsw.ccsds").joinpath("profiles", f"{name}.toml")))
    try:
        return LinkProfile.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise ConfigError(f"{path}: expected a profile that can be read, found: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected TOML, found: {error}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        words = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {key + ': ' if key else ''}{words}") from None
