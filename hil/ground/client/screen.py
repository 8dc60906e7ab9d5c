"""The terminal that an operator sits at: a prompt, notes above it, what is shown in place until a key is pressed.

Lines are edited by GNU readline. While it waits for keys, it calls a function ten times a second (`PyOS_InputHook` of
Python's C interface), and the session goes on in that.
"""

import ctypes
import os
import readline
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flightsw.errors import BeamlockError
from flightsw.services.events import Severity
from hil.ground.client.completion import candidates
from hil.ground.client.console import Console, Render
from hil.ground.client.note import Note
from hil.ground.client.session import Session
from hil.ground.client.task import Condition

PROMPT = "ground> "
_COLOURS = {Severity.INFO: "", Severity.LOW: "\033[33m", Severity.MEDIUM: "\033[1;33m", Severity.HIGH: "\033[1;31m"}
_REFRESH_S = 0.2


def interact(session: Session) -> None:
    """Let an operator work with a session until he leaves. Raises what the session raises while it waits for him."""
    screen = Screen(session, lambda line: candidates(line, list(console.contacts), console.names))
    console = Console(session, print, screen.show)
    print("`help` tells what can be said here, Tab completes, Ctrl-D leaves.")
    while not console.left:
        screen.notes()
        try:
            line = screen.line()
        except KeyboardInterrupt:
            print()
            continue
        except EOFError:
            print()
            return
        try:
            task = console.execute(line)
            if isinstance(task, Condition):
                screen.wait(task)
        except KeyboardInterrupt:
            print()
        except BeamlockError as error:
            print(f"beamlock: {error}")


class Screen:
    """Standard input and output, both of them a terminal."""

    def __init__(self, session: Session, complete: Callable[[str], list[str]]) -> None:
        """`complete`: what the last word of a line may become."""
        self._session = session
        self._error: BeamlockError | None = None
        self._found: list[str] = []
        self._complete = complete
        readline.set_completer_delims(" ")
        readline.set_completer(self._completed)
        readline.parse_and_bind("tab: complete")

    def line(self) -> str:
        """The next line. Raises EOFError at the end, KeyboardInterrupt, and whatever the session raises."""
        with _called_while_waiting(self._go_on):
            text = input(PROMPT)
        if self._error is not None:
            raise self._error
        return text

    def notes(self) -> None:
        """Print the notes that are there."""
        while self._session.notes:
            print(_coloured(self._session.notes.popleft()), flush=True)

    def wait(self, condition: Condition) -> None:
        """Wait for it, and say how it ended."""
        self._session.until(lambda: condition.over, self.notes)
        print(condition.failure or "so it is")

    def show(self, render: Render) -> None:
        """Show something, and bring it up to date, until a key is pressed."""
        drawn = 0
        with _keys():
            while True:
                sys.stdout.write(f"\033[{drawn}A\033[J" if drawn else "")
                self.notes()
                size = shutil.get_terminal_size()
                text = render(size.columns - 1, size.lines - 2)
                sys.stdout.write("".join(f"{each[: size.columns - 1]}\n" for each in text.split("\n")))
                sys.stdout.flush()
                drawn = text.count("\n") + 1
                if self._session.turn(_REFRESH_S, [sys.stdin.fileno()]):
                    os.read(sys.stdin.fileno(), 64)
                    return

    def _go_on(self) -> None:
        """A round of the session, and its notes above the line that is being typed."""
        if self._error is not None:
            return
        try:
            self._session.turn(0.0)
        except BeamlockError as error:
            self._error = error
            self._above(f"beamlock: {error}; press Enter")
        while self._session.notes:
            self._above(_coloured(self._session.notes.popleft()))

    def _above(self, text: str) -> None:
        """Print ahead of the line with the cursor, which stays where it is in it: readline knows nothing of this."""
        columns = max(shutil.get_terminal_size().columns, 20)
        rows = -(-len(text) // columns)
        # room below, back up, remember the place, room for the text, the text, back to the place that has moved down
        sys.stdout.write("\033D" * rows + f"\033[{rows}A\0337\033[{rows}L\r{text}\0338\033[{rows}B")
        sys.stdout.flush()

    def _completed(self, _: str, state: int) -> str | None:
        if state == 0:
            self._found = self._complete(readline.get_line_buffer()[: readline.get_endidx()])
        if state >= len(self._found):
            return None
        found = self._found[state]
        more = len(self._found) > 1 or found.endswith(("=", "/", "."))
        return found if more else found + " "


def _coloured(note: Note) -> str:
    colour = _COLOURS[note.severity]
    return f"{colour}{note}\033[0m" if colour else str(note)


@contextmanager
def _called_while_waiting(function: Callable[[], None]) -> Iterator[None]:
    """Have a function called while readline waits for a key."""

    def call() -> int:
        function()
        return 0

    hook = ctypes.CFUNCTYPE(ctypes.c_int)(call)
    place = ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyOS_InputHook")
    before = place.value
    place.value = ctypes.cast(hook, ctypes.c_void_p).value
    try:
        yield
    finally:
        place.value = before


@contextmanager
def _keys() -> Iterator[None]:
    """Get keys one at a time, unseen."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
