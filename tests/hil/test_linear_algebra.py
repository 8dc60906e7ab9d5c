"""Threads of NumPy's linear algebra under the command line."""

import os
import subprocess
import sys

from hil.linear_algebra import on_one_thread

_COUNT = """
import os
from hil.cli import main
main(["run", "--list"])
import numpy
numpy.ones((300, 300)) @ numpy.ones((300, 300))
print(len(os.listdir("/proc/self/task")))
"""


def test_a_command_has_one_thread():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    counted = subprocess.run(
        [sys.executable, "-c", _COUNT], env=environment, capture_output=True, check=True, text=True
    )
    assert counted.stdout.split()[-1] == "1"


def test_what_the_environment_says_of_threads_holds(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    on_one_thread()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
