"""Lines without an operator, from a file or a pipe: one after the other, up to the first that fails."""

import os
import sys
from collections.abc import Iterable, Iterator

from hil.ground.client.console import Console, Render
from hil.ground.client.session import Session
from hil.ground.client.task import Task

_PIECE = 1 << 12
_WIDTH, _HEIGHT = 100, 1000


def follow(session: Session, lines: Iterable[str]) -> int:
    """Carry out lines, each to its end, and print what is told. Returns 0, or 1 for one that failed.

    Raises ConfigError for a line that cannot be understood, DeviceDisconnected for a spacecraft that is not heard.
    """
    console = Console(session, print, _show)
    for line in lines:
        failure = _done(session, console.execute(line))
        if failure:
            print(f"beamlock: {line.strip()}: expected it to be done, found: {failure}", file=sys.stderr)
            return 1
        if console.left:
            break
    return 0


def lines_of(session: Session, descriptor: int) -> Iterator[str]:
    """Lines of a file or a pipe; the session goes on while there are none."""
    rest = b""
    while True:
        if not session.turn(also=[descriptor]):
            _print_notes(session)
            continue
        piece = os.read(descriptor, _PIECE)
        *lines, rest = (rest + piece).split(b"\n")
        if not piece and rest:
            lines, rest = [rest], b""
        for line in lines:
            yield line.decode(errors="replace")
        if not piece:
            return


def _done(session: Session, task: Task | None) -> str:
    """Wait for a task; why it failed, or nothing."""
    if task is not None:
        session.until(lambda: task.over, lambda: _print_notes(session))
    _print_notes(session)
    return "" if task is None else task.failure


def _print_notes(session: Session) -> None:
    while session.notes:
        print(session.notes.popleft(), flush=True)


def _show(render: Render) -> None:
    print(render(_WIDTH, _HEIGHT))
