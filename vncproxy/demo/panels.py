"""
What stands on the demo's backdrop: the clock, the notes, the key caps, the mouse, the line of facts.

Each panel repaints only what has changed since it was painted last, and says which rectangles that were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from typing import Protocol as Shape

from vncproxy.demo import keys
from vncproxy.demo.canvas import Canvas, Colour, Rect, mix
from vncproxy.demo.ink import cellSize, disc
from vncproxy.demo.state import State

PAPER: Final[Colour] = (21, 24, 52)
TITLE: Final[Colour] = (34, 38, 78)
TEXT: Final[Colour] = (228, 232, 248)
DIM: Final[Colour] = (136, 144, 186)
AMBER: Final[Colour] = (255, 200, 104)
#: Pointer buttons by number: left, middle, right, the wheel's four ways, back, forward.
BUTTON_COLOURS: Final[Sequence[Colour]] = (
    (255, 200, 104),
    (104, 226, 196),
    (255, 124, 164),
    (122, 176, 255),
    (122, 176, 255),
    (122, 176, 255),
    (122, 176, 255),
    (200, 150, 255),
    (200, 150, 255),
)

_RADIUS: Final = 9
_TITLE_HEIGHT: Final = 28
_SMALL: Final = 9
_NORMAL: Final = 11
_DATE_INDENT: Final = 4
_BLINK_SECONDS: Final = 0.55
_HINT: Final = (
    "Type something: all viewers of this desktop see it.",
    "",
    "Ctrl-C  puts the text on your clipboard",
    "Ctrl-V  types your clipboard",
    "Ctrl-U  begins anew",
    "Ctrl-G  rings the bell",
)


class Panel(Shape):
    """
    A part of the picture.
    """

    @property
    def covers(self) -> Rect:
        """
        What it hides of all that is behind it.
        """

    def paint(self, canvas: Canvas) -> None:
        """
        Paint what never changes, once.
        """

    def refresh(self, canvas: Canvas, state: State, now: float) -> Iterable[Rect]:
        """
        Paint what has changed, and say where.
        """


def _window(canvas: Canvas, rect: Rect, title: str) -> None:
    """
    An empty window with a title.
    """
    canvas.panel(rect, PAPER, _RADIUS)
    canvas.panel(Rect(rect.x, rect.y, rect.width, _TITLE_HEIGHT), TITLE, _RADIUS)
    canvas.fill(Rect(rect.x, rect.y + _RADIUS, rect.width, _TITLE_HEIGHT - _RADIUS), TITLE)
    for i, colour in enumerate(((255, 124, 164), (255, 200, 104), (104, 226, 196))):
        canvas.blend(disc(4), rect.x + 12 + 15 * i, rect.y + _TITLE_HEIGHT // 2 - 5, colour)
    canvas.draw(rect.x + 62, rect.y + 6, title, _SMALL, DIM)


def moment(now: float) -> datetime:
    """
    A time in seconds since the epoch as the machine's local time.
    """
    return datetime.fromtimestamp(now, tz=UTC).astimezone()


class Clock:
    """
    The time in great figures and the date below, without a window: the sky is kept to paint it over again.
    """

    def __init__(self, x: int, y: int, width: int) -> None:
        """
        @param width: that it may take.
        """
        self.covers = Rect(x, y, 0, 0)
        self._capital = max(12, min(64, width * 28 // (8 * 23)))
        self._x, self._y = x, y
        self._cell = cellSize(self._capital)
        self._date = Rect(x, y + self._cell[1] + 2, width, cellSize(_NORMAL)[1])
        self._sky: list[Canvas] = []
        self._shown = ("", "")

    def _places(self) -> list[Rect]:
        """
        Where each figure stands, and then the date.
        """
        width, height = self._cell
        return [*(Rect(self._x + i * width, self._y, width, height) for i in range(8)), self._date]

    def paint(self, canvas: Canvas) -> None:
        """
        Remember the sky.
        """
        self._sky = [canvas.part(place) for place in self._places()]

    def refresh(self, canvas: Canvas, state: State, now: float) -> Iterable[Rect]:
        """
        Paint the figures that are others than a moment ago.
        """
        local = moment(now)
        time, date = f"{local:%H:%M:%S}", self._dateLine(local)
        before, dateBefore = self._shown
        self._shown = (time, date)
        places = self._places()
        for i, figure in enumerate(time):
            if figure != before[i : i + 1]:
                canvas.put(self._sky[i], places[i].x, places[i].y)
                canvas.draw(places[i].x, places[i].y, figure, self._capital, TEXT)
                yield places[i]
        if date != dateBefore:
            canvas.put(self._sky[-1], self._date.x, self._date.y)
            canvas.draw(self._date.x + _DATE_INDENT, self._date.y, date, _NORMAL, mix(TEXT, DIM, 0.3))
            yield self._date

    def _dateLine(self, local: datetime) -> str:
        """
        The date, written out as far as there is room.
        """
        lines = [f"{local:%A, %-d %B %Y}", f"{local:%a %-d %b %Y}", f"{local:%d.%m.}"]
        room = (self._date.width - _DATE_INDENT) // cellSize(_NORMAL)[0]
        return next(line for line in [*lines, ""] if len(line) <= room)


class Notes:
    """
    The window that shows what is typed.
    """

    def __init__(self, rect: Rect) -> None:
        self.covers = rect
        self._cell = cellSize(_NORMAL)
        inner = Rect(rect.x, rect.y + _TITLE_HEIGHT, rect.width, rect.height - _TITLE_HEIGHT).inset(12)
        self._columns = max(1, inner.width // self._cell[0] - 1)
        self._count = max(1, inner.height // self._cell[1])
        self._inner = inner
        self._shown: list[tuple[str, bool, bool]] = [("", False, False)] * self._count

    def paint(self, canvas: Canvas) -> None:
        """
        Paint the empty window.
        """
        _window(canvas, self.covers, "notes")

    def refresh(self, canvas: Canvas, state: State, now: float) -> Iterable[Rect]:
        """
        Paint the lines that are others than a moment ago; the one with the caret twice a second.
        """
        lines = self._lines(state, now)
        for i, line in enumerate(lines):
            if line != self._shown[i]:
                yield self._paintLine(canvas, i, line)
        self._shown = lines

    def _lines(self, state: State, now: float) -> list[tuple[str, bool, bool]]:
        """
        Every line of the window: its text, whether the caret is seen at its end, whether it is only a hint.
        """
        caret = int(now / _BLINK_SECONDS) % 2 == 0
        wrapped = _wrap(state.typedText, self._columns)[-self._count :]
        lines = [(text, caret and i == len(wrapped) - 1, False) for i, text in enumerate(wrapped)]
        if not state.typedText:
            lines += [(text[: self._columns], False, True) for text in _HINT]
        lines += [("", False, False)] * self._count
        return lines[: self._count]

    def _paintLine(self, canvas: Canvas, number: int, line: tuple[str, bool, bool]) -> Rect:
        text, caret, hint = line
        width, height = self._cell
        y = self._inner.y + number * height
        row = Rect(self._inner.x, y, self._inner.width, height)
        written = canvas.write(row.x, y, text, _NORMAL, DIM if hint else TEXT, PAPER)
        rest = Rect(written.right, y, row.right - written.right, height)
        canvas.fill(rest, PAPER)
        if caret:
            canvas.fill(Rect(written.right + 1, y + 3, 2, height - 6), AMBER)
        before, _, wasHint = self._shown[number]
        if hint == wasHint and text.startswith(before):  # typing goes on at the end of the line: all else is there
            kept = len(before) * width
            return Rect(row.x + kept, y, row.width - kept, height)
        return row


def _wrap(text: str, columns: int) -> list[str]:
    """
    Text in lines of at most so many columns; at least one line.
    """
    return [
        line[start : start + columns] for line in text.split("\n") for start in range(0, max(1, len(line)), columns)
    ]


class Caps:
    """
    The window that shows which keys are pressed: the last ones as caps, those that are down lit.
    """

    def __init__(self, rect: Rect) -> None:
        self.covers = rect
        self._inner = Rect(rect.x, rect.y + _TITLE_HEIGHT, rect.width, rect.height - _TITLE_HEIGHT).inset(10)
        self._shown: list[tuple[str, bool]] = []

    def paint(self, canvas: Canvas) -> None:
        """
        Paint the empty window.
        """
        _window(canvas, self.covers, "keys")

    def refresh(self, canvas: Canvas, state: State, now: float) -> Iterable[Rect]:
        """
        Paint the caps, if others than a moment ago were pressed or are down.
        """
        caps = [(keys.name(keysym), keysym in state.held) for keysym in state.caps]
        if caps == self._shown:
            return
        self._shown = caps
        canvas.fill(self._inner, PAPER)
        width, height = cellSize(_SMALL)
        right, y = self._inner.right, self._inner.y
        for label, down in reversed(caps):  # the newest in the upper right corner
            cap = Rect(right - (len(label) * width + 14), y, len(label) * width + 14, height + 8)
            if cap.x < self._inner.x:
                right, y = self._inner.right, y + cap.height + 6
                cap = Rect(right - cap.width, y, cap.width, cap.height)
            if cap.bottom > self._inner.bottom:
                break
            paper, ink = (AMBER, PAPER) if down else (TITLE, TEXT)
            canvas.panel(cap, paper, 5)
            canvas.write(cap.x + 7, y + 4, label, _SMALL, ink, paper)
            right = cap.x - 6
        yield self._inner


class Mouse:
    """
    The window that shows the pointer: where it is, and a mouse whose buttons light up.
    """

    def __init__(self, rect: Rect) -> None:
        self.covers = rect
        self._inner = Rect(rect.x, rect.y + _TITLE_HEIGHT, rect.width, rect.height - _TITLE_HEIGHT).inset(8)
        self._shown: tuple[tuple[bool, ...], tuple[int, int] | None] | None = None

    def paint(self, canvas: Canvas) -> None:
        """
        Paint the empty window.
        """
        _window(canvas, self.covers, "pointer")

    def refresh(self, canvas: Canvas, state: State, now: float) -> Iterable[Rect]:
        """
        Paint the mouse when a button has changed, and the place when the pointer has moved.
        """
        lit = tuple(state.lit(button, now) for button in range(1, len(BUTTON_COLOURS) + 1))
        before, self._shown = self._shown, (lit, state.pointer)
        if before is None or before[0] != lit:
            yield self._paintMouse(canvas, lit)
        if before is None or before[1] != state.pointer:
            x, y = state.pointer or (0, 0)
            at = self._inner.x + 78, self._inner.y + 12
            places = [("x", x), ("y", y)] if state.pointer else [("x", "-"), ("y", "-")]
            for i, (axis, value) in enumerate(places):
                yield canvas.write(at[0], at[1] + 24 * i, f"{axis} {value:<5}", _NORMAL, TEXT, PAPER)

    def _paintMouse(self, canvas: Canvas, lit: Sequence[bool]) -> Rect:
        """
        A mouse seen from above: two buttons, a wheel between them, its ways beside it.
        """
        left, middle, right, up, down, westward, eastward, back, forward = (
            colour if isLit else TITLE for isLit, colour in zip(lit, BUTTON_COLOURS, strict=True)
        )
        x, y = self._inner.x + 6, self._inner.y
        canvas.fill(Rect(x, y, 66, 72), PAPER)
        canvas.panel(Rect(x + 12, y, 42, 70), TITLE, 18)
        canvas.panel(Rect(x + 15, y + 3, 17, 28), left if lit[0] else mix(TITLE, DIM, 0.35), 8)
        canvas.panel(Rect(x + 34, y + 3, 17, 28), right if lit[2] else mix(TITLE, DIM, 0.35), 8)
        canvas.panel(Rect(x + 30, y + 8, 6, 16), middle if lit[1] else PAPER, 3)
        for colour, shift, turn in ((up, 0, "↑"), (down, 14, "↓"), (westward, 28, "←"), (eastward, 42, "→")):
            canvas.write(x + 7 + shift, y + 74, turn, 7, mix(colour, DIM, 0.0 if colour != TITLE else 0.3), PAPER)
        canvas.panel(Rect(x + 3, y + 34, 6, 12), forward, 3)
        canvas.panel(Rect(x + 3, y + 49, 6, 12), back, 3)
        return Rect(x, y, 72, 90)


class Facts:
    """
    The line at the bottom: how many watch, how large the desktop is, and what is to be told.
    """

    HEIGHT: Final = 32

    def __init__(self, rect: Rect, started: float) -> None:
        """
        @param started: when the desktop began, in seconds since the epoch.
        """
        self.covers = rect
        self._started = started
        self._shown = ("", "")

    def paint(self, canvas: Canvas) -> None:
        """
        Paint the empty line.
        """
        canvas.fill(self.covers, PAPER)
        canvas.fill(Rect(self.covers.x, self.covers.y, self.covers.width, 1), TITLE)

    def refresh(self, canvas: Canvas, state: State, now: float) -> Iterable[Rect]:
        """
        Paint the half of the line that is another than a moment ago.
        """
        minutes, seconds = divmod(int(now - self._started), 60)
        watching = f"{state.viewers} viewer{'' if state.viewers == 1 else 's'}"
        size = f"{self.covers.width} × {self.covers.bottom}"
        facts = f"{watching} · {size} · up {minutes // 60}:{minutes % 60:02}:{seconds:02}"
        shown = (facts, state.notice[0])
        before, self._shown = self._shown, shown
        width, _ = cellSize(_SMALL)
        x, y = self.covers.x + 14, self.covers.y + 8
        half = Rect(x, y, (len(facts) + 3) * width, self.HEIGHT - 10)
        rest = Rect(half.right, y, self.covers.right - half.right, half.height)
        if before[0] != facts:
            canvas.fill(half, PAPER)
            canvas.write(x, y, facts, _SMALL, DIM, PAPER)
            yield half
        if before[1] != shown[1] or len(before[0]) != len(facts):
            canvas.fill(rest, PAPER)
            canvas.write(rest.x, y, shown[1], _SMALL, AMBER, PAPER)
            yield rest
