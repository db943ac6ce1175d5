"""
What has happened on the demo desktop: the text typed on it, the keys and buttons held, the traces of the pointer.

No drawing and no clock here: whoever tells of an event also tells the time.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

import attrs

from vncproxy.demo import keys
from vncproxy.demo.keys import Key

#: How much of the typed text is kept, in characters.
TEXT_LIMIT: Final = 4000
#: How many key caps are remembered.
_CAPS: Final = 24
#: How many traces of one kind are alive at once.
_TRACES: Final = 24
#: How long they live, in seconds.
RIPPLE_SECONDS: Final = 0.7
TRAIL_SECONDS: Final = 0.6
NOTICE_SECONDS: Final = 5.0
#: How long a button stays lit at least: a turn of the wheel is pressed and released at once.
LIT_SECONDS: Final = 0.3
#: Pointer buttons that RFB can tell of, with the extension for more.
BUTTONS: Final = 9

_CLIPBOARD_SHOWN: Final = 60


class Effect(Enum):
    """
    What a key asks for beyond the picture.
    """

    BELL = "bell"
    COPY = "copy"


@attrs.frozen
class Trace:
    """
    Something that happened at a place and is seen for a moment.

    @ivar button: which pointer button, from 1; 0 for a mere move.
    """

    time: float
    x: int
    y: int
    button: int = 0


@attrs.define
class State:
    """
    The desktop, for all viewers alike.

    @ivar typedText: as far as it was not deleted, at most its last L{TEXT_LIMIT} characters.
    @ivar clipboard: the last text that a viewer sent.
    @ivar held: the keysyms that are down, in the order in which they went down.
    @ivar caps: the keysyms pressed last, oldest first.
    @ivar buttons: bit n is set while pointer button n + 1 is down.
    @ivar pressed: when each button was pressed last.
    @ivar notice: what is to be told, and when it was.
    """

    typedText: str = ""
    clipboard: str = ""
    held: dict[int, None] = attrs.field(factory=dict)
    caps: deque[int] = attrs.field(factory=lambda: deque(maxlen=_CAPS))
    pointer: tuple[int, int] | None = None
    buttons: int = 0
    pressed: dict[int, float] = attrs.field(factory=dict)
    ripples: deque[Trace] = attrs.field(factory=lambda: deque(maxlen=_TRACES))
    trail: deque[Trace] = attrs.field(factory=lambda: deque(maxlen=_TRACES))
    notice: tuple[str, float] = ("", 0.0)
    viewers: int = 0

    def key(self, down: bool, keysym: int, now: float) -> Effect | None:
        """
        A key goes down or up.
        """
        if not down:
            self.held.pop(keysym, None)
            return None
        if keysym not in self.held and len(self.held) < _CAPS:
            self.held[keysym] = None
        self.caps.append(keysym)
        control, alt = bool(keys.CONTROL & self.held.keys()), bool(keys.ALT & self.held.keys())
        if control and alt and keysym == Key.DELETE:
            self.tell("Ctrl-Alt-Del arrived. A real machine would act on it now.", now)
            return None
        if control and not alt:  # both together are AltGr on some keyboards, and type
            return self._command(keys.character(keysym), now)
        self._type(keysym)
        return None

    def _command(self, letter: str | None, now: float) -> Effect | None:
        """
        A key pressed together with Ctrl.
        """
        match letter and letter.lower():
            case "g":
                self.tell("Ctrl-G rings the bell of every viewer.", now)
                return Effect.BELL
            case "c":
                self.tell("Ctrl-C: the typed text is on every viewer's clipboard.", now)
                return Effect.COPY
            case "v":
                self._append(self.clipboard)
            case "u" | "l":
                self.typedText = ""
        return None

    def _type(self, keysym: int) -> None:
        """
        A key pressed alone, or with Shift.
        """
        if keysym == Key.BACK_SPACE:
            self.typedText = self.typedText[:-1]
        elif keysym in (Key.RETURN, Key.KEYPAD_ENTER):
            self._append("\n")
        elif keysym == Key.TAB:
            self._append("    ")
        else:
            self._append(keys.character(keysym) or "")

    def _append(self, text: str) -> None:
        self.typedText = (self.typedText + text)[-TEXT_LIMIT:]

    def point(self, buttons: int, x: int, y: int, now: float) -> None:
        """
        The pointer is at C{x}, C{y} with these buttons down.
        """
        new = buttons & ~self.buttons
        for button in range(1, BUTTONS + 1):
            if new >> (button - 1) & 1:
                self.pressed[button] = now
                self.ripples.append(Trace(now, x, y, button))
        if self.pointer != (x, y):
            self.trail.append(Trace(now, x, y))
        self.pointer, self.buttons = (x, y), buttons

    def lit(self, button: int, now: float) -> bool:
        """
        Whether a button is down or was so a moment ago.
        """
        return bool(self.buttons >> (button - 1) & 1) or now - self.pressed.get(button, -9.0) < LIT_SECONDS

    def receiveClipboard(self, text: str, now: float) -> None:
        """
        A viewer has sent its clipboard.
        """
        self.clipboard = text
        line = " ".join(text.split())
        shown = line if len(line) <= _CLIPBOARD_SHOWN else line[: _CLIPBOARD_SHOWN - 3] + "..."
        self.tell(f"Clipboard: {shown or '(empty)'}   Ctrl-V types it.", now)

    def tell(self, notice: str, now: float) -> None:
        """
        Show a line for a moment.
        """
        self.notice = (notice, now)

    def releaseAll(self) -> None:
        """
        No key or button is down any more: whoever held it is gone.
        """
        self.held.clear()
        self.buttons = 0

    def fade(self, now: float) -> None:
        """
        Forget what is not seen any more.
        """
        while self.ripples and now - self.ripples[0].time >= RIPPLE_SECONDS:
            self.ripples.popleft()
        while self.trail and now - self.trail[0].time >= TRAIL_SECONDS:
            self.trail.popleft()
        if self.notice[0] and now - self.notice[1] >= NOTICE_SECONDS:
            self.notice = ("", 0.0)
