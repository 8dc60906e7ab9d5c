"""Compiles Verilator's runtime once a machine instead of once a model: a compiler's prefix, as ccache is one.

Verilator's makefiles put `$(OBJCACHE)` before each compilation. The runtime's sources take most of a small model's
build, and are the same in every one. An object is kept under the hash of its source, of the runtime's headers and of
the command. Sources of the model, and a main program that includes its header, are compiled as they are. This runs as a
script; nothing but the standard library is imported.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def folder() -> Path:
    """Where objects and models are kept, below the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beamlock"


def main(command: list[str]) -> int:
    """Run a compilation, or copy what it made before; returns the compiler's exit code."""
    source = Path(command[-1])
    if "-c" not in command or "-o" not in command or not (source.is_absolute() and source.stem.startswith("verilated")):
        return subprocess.call(command)
    made = Path(command[command.index("-o") + 1])
    digest = hashlib.sha256("\0".join(command).encode() + source.read_bytes())
    for header in sorted(source.parent.glob("verilated*.h")):
        digest.update(header.read_bytes())
    kept = folder() / "objects" / f"{source.stem}-{digest.hexdigest()[:24]}.o"
    if not kept.exists():
        code = subprocess.call(command)
        if code != 0:
            return code
        kept.parent.mkdir(parents=True, exist_ok=True)
        # under a name of its own first: builds may run side by side
        handle, temporary = tempfile.mkstemp(dir=kept.parent)
        os.close(handle)
        shutil.copyfile(made, temporary)
        Path(temporary).replace(kept)
    else:
        shutil.copyfile(kept, made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
