"""Coverage-guided fuzzing of `targets.py` with atheris; arguments are those of libFuzzer."""

import sys
from importlib.util import find_spec
from pathlib import Path

import atheris

_PACKAGES = ("flightsw", "hil", "sim")


def _modules(package: str) -> dict[str, Path]:
    folder = Path(find_spec(package).origin).parent
    return {".".join([package, *p.relative_to(folder).with_suffix("").parts]): p for p in folder.rglob("*.py")}


# compiled kernels cannot be instrumented: Numba would meet calls into the fuzzer
_compiled = [name for package in _PACKAGES for name, path in _modules(package).items() if "njit" in path.read_text()]
with atheris.instrument_imports(include=[*_PACKAGES, "mcap"], exclude=_compiled):
    import targets

# compile or load them ahead: atheris, once at work, gets in the way of Numba's type inference
for _path in (Path(__file__).parent / "corpus").iterdir():
    targets.one(_path.read_bytes())

if __name__ == "__main__":
    atheris.Setup(sys.argv, targets.one)
    atheris.Fuzz()
