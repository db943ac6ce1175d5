"""
L{vncproxy.demo.panels}: what stands on the demo's backdrop.

Every panel is held to the same rule: what it says has changed is all that has changed.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.test_demo_canvas import at, places
from vncproxy.demo.canvas import Canvas, Rect
from vncproxy.demo.panels import AMBER, BUTTON_COLOURS, Caps, Clock, Facts, Mouse, Notes, Panel, moment
from vncproxy.demo.state import State

SIZE = Rect(0, 0, 420, 240)


class PanelTests(SynchronousTestCase):
    """
    Tests for the panels.
    """

    def setUp(self) -> None:
        self.canvas = Canvas(SIZE.width, SIZE.height)
        self.canvas.fill(SIZE, (40, 50, 90))
        self.state = State()

    def show(self, panel: Panel) -> Panel:
        """
        A panel as it stands after its first refresh.
        """
        panel.paint(self.canvas)
        self.refresh(panel)
        return panel

    def refresh(self, panel: Panel, now: float = 0.0) -> list[Rect]:
        """
        What a panel says has changed, after checking that nothing else has.
        """
        before = bytes(self.canvas.data)
        rects = list(panel.refresh(self.canvas, self.state, now))
        told = set().union(*map(places, rects))
        pixels = range(0, len(before), 4)
        changed = {divmod(i // 4, SIZE.width)[::-1] for i in pixels if before[i : i + 4] != self.canvas.data[i : i + 4]}
        self.assertEqual(sorted(changed - told)[:3], [])
        return rects

    def has(self, colour: tuple[int, int, int], rect: Rect = SIZE) -> bool:
        """
        Whether a colour is to be seen somewhere.
        """
        return any(at(self.canvas, x, y) == colour for x, y in places(rect))

    def test_quiet(self) -> None:
        """
        A panel with nothing new paints nothing.
        """
        panels: list[Panel] = [
            Clock(5, 5, 200),
            Notes(Rect(10, 10, 300, 120)),
            Caps(Rect(10, 10, 300, 90)),
            Mouse(Rect(10, 10, 196, 132)),
            Facts(Rect(0, 208, 420, 32), 0.0),
        ]
        for panel in panels:
            self.show(panel)
            self.assertEqual(self.refresh(panel), [], panel)

    def test_clockPaintsOneFigure(self) -> None:
        """
        From one second to the next only the last figure is painted, over the ground that was there before.
        """
        clock = self.show(Clock(10, 10, 300))
        (figure,) = self.refresh(clock, 1.0)
        self.assertTrue(figure.width < 60)
        first = self.canvas.cut(figure)
        self.refresh(clock, 2.0)
        self.assertNotEqual(self.canvas.cut(figure), first)
        self.refresh(clock, 11.0)
        self.assertEqual(self.canvas.cut(figure), first)

    def test_clockTellsTheDate(self) -> None:
        """
        When the day changes, the date is painted as well.
        """
        clock = self.show(Clock(10, 10, 300))
        day = self.refresh(clock, 86400.0)
        self.assertEqual(len(day), 1)
        self.assertEqual(day[0].width, 300)
        self.assertEqual(moment(86400.0).date().toordinal() - moment(0.0).date().toordinal(), 1)

    def test_clockIsNarrow(self) -> None:
        """
        Where there is little room the date is shorter, and the clock keeps to its width.
        """
        for width in (60, 120, 200, 300):
            self.setUp()
            clock = Clock(10, 10, width)
            clock.paint(self.canvas)
            rects = self.refresh(clock)
            self.assertTrue(all(rect.right <= 10 + max(width, 8 * rects[0].width) for rect in rects), width)

    def test_notesType(self) -> None:
        """
        A letter at the end of a line repaints only the line's end.
        """
        self.state.typedText = "hello"
        notes = self.show(Notes(Rect(10, 10, 300, 120)))
        self.state.typedText = "hello!"
        (rest,) = self.refresh(notes)
        self.assertTrue(rest.x > 60)
        self.state.typedText = "hell"
        (line,) = self.refresh(notes)
        self.assertTrue(line.x < 40)

    def test_notesScroll(self) -> None:
        """
        Of long text the end is shown: more typing goes on moving it up.
        """
        self.state.typedText = "\n".join(map(str, range(100)))
        notes = self.show(Notes(Rect(10, 10, 300, 120)))
        before = bytes(self.canvas.data)
        self.state.typedText += "\nlast"
        self.assertTrue(len(self.refresh(notes)) > 2)
        self.assertNotEqual(bytes(self.canvas.data), before)

    def test_notesWrap(self) -> None:
        """
        A line that is too long goes on in the next one.
        """
        self.state.typedText = "x" * 29
        notes = self.show(Notes(Rect(10, 10, 300, 120)))
        self.state.typedText = "x" * 30
        self.assertEqual(len({rect.y for rect in self.refresh(notes)}), 2)

    def test_caretBlinks(self) -> None:
        """
        The caret comes and goes, and the hint goes with the first letter.
        """
        notes = self.show(Notes(Rect(10, 10, 300, 120)))
        self.assertTrue(self.has(AMBER, Rect(10, 40, 300, 90)))
        self.assertEqual(len(self.refresh(notes, 0.6)), 1)
        self.assertFalse(self.has(AMBER, Rect(10, 40, 300, 90)))
        self.state.typedText = "a"
        self.assertTrue(len(self.refresh(notes, 0.6)) > 2)

    def test_caps(self) -> None:
        """
        A key that is down is lit, and no more when it is let go; of many the last are shown.
        """
        caps = self.show(Caps(Rect(10, 10, 200, 90)))
        self.state.key(True, 0xFFBE, 0.0)
        self.refresh(caps)
        self.assertTrue(self.has(AMBER, Rect(100, 40, 110, 40)))
        self.state.key(False, 0xFFBE, 0.0)
        self.refresh(caps)
        self.assertFalse(self.has(AMBER, Rect(100, 40, 110, 40)))
        for keysym in range(0x61, 0x7B):
            self.state.key(True, keysym, 0.0)
        self.assertEqual(len(self.refresh(caps)), 1)

    def test_mouse(self) -> None:
        """
        Each of the nine buttons lights up at a place of its own, and goes out again.
        """
        mouse = self.show(Mouse(Rect(10, 10, 196, 132)))
        dark = bytes(self.canvas.data)
        lit = set()
        for button in range(1, len(BUTTON_COLOURS) + 1):
            self.state.point(1 << button - 1, 0, 0, 10.0 * button)
            self.refresh(mouse, 10.0 * button)
            figure = self.canvas.cut(Rect(20, 40, 75, 100))
            self.assertNotIn(figure, lit)
            lit.add(figure)
            self.state.point(0, 0, 0, 10.0 * button)
            self.refresh(mouse, 10.0 * button + 5)
        self.state.pointer = None
        self.refresh(mouse, 1000.0)
        self.assertEqual(bytes(self.canvas.data), dark)

    def test_mousePlace(self) -> None:
        """
        A move repaints the place and not the mouse.
        """
        self.state.point(0, 1000, 1000, 0.0)
        mouse = self.show(Mouse(Rect(10, 10, 196, 132)))
        self.state.point(0, 7, 8, 0.0)
        self.assertTrue(all(rect.x > 80 for rect in self.refresh(mouse)))

    def test_facts(self) -> None:
        """
        The facts change each second; a notice is shown and goes again without a trace.
        """
        facts = self.show(Facts(Rect(0, 208, 420, 32), 0.0))
        (left,) = self.refresh(facts, 1.0)
        self.assertEqual(left.x, 14)
        without = bytes(self.canvas.data)
        self.state.tell("something", 1.0)
        (right,) = self.refresh(facts, 1.0)
        self.assertEqual(right.x, left.right)
        self.assertTrue(self.has(AMBER, Rect(0, 208, 420, 32)))
        self.state.fade(100.0)
        self.refresh(facts, 1.0)
        self.assertEqual(bytes(self.canvas.data), without)

    def test_factsMakeRoom(self) -> None:
        """
        When the facts become longer the notice moves aside.
        """
        facts = self.show(Facts(Rect(0, 208, 420, 32), 0.0))
        self.state.tell("something", 0.0)
        self.refresh(facts)
        self.state.viewers = 12345
        self.assertEqual(len(self.refresh(facts)), 2)
