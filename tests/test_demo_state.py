"""
L{vncproxy.demo.state}: what has happened on the demo desktop.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo.keys import Key
from vncproxy.demo.state import (
    LIT_SECONDS,
    NOTICE_SECONDS,
    RIPPLE_SECONDS,
    TEXT_LIMIT,
    TRAIL_SECONDS,
    Effect,
    State,
    Trace,
)


def press(state: State, *keysyms: int) -> Effect | None:
    """
    Press these keys in this order, let go of them in the reverse one, and return what the last asked for.
    """
    effect = None
    for keysym in keysyms:
        effect = state.key(True, keysym, 0.0)
    for keysym in reversed(keysyms):
        state.key(False, keysym, 0.0)
    return effect


def typeText(state: State, text: str) -> None:
    """
    Press the keys of a text one after the other.
    """
    for character in text:
        press(state, Key.RETURN if character == "\n" else ord(character))


class KeyboardTests(SynchronousTestCase):
    """
    Tests for keys.
    """

    def test_typing(self) -> None:
        """
        Text appears as it is typed; Return, Tab, Backspace and Shift do what they do everywhere.
        """
        state = State()
        typeText(state, "Hallo\nWelx")
        press(state, Key.BACK_SPACE)
        press(state, ord("t"))
        press(state, Key.TAB)
        press(state, Key.SHIFT_LEFT, ord("A"))
        self.assertEqual(state.typedText, "Hallo\nWelt    A")

    def test_limit(self) -> None:
        """
        Of very much text the end is kept.
        """
        state = State(clipboard="x" * TEXT_LIMIT)
        typeText(state, "abc")
        press(state, Key.CONTROL_LEFT, ord("v"))
        typeText(state, "end")
        self.assertEqual(len(state.typedText), TEXT_LIMIT)
        self.assertTrue(state.typedText.endswith("xend"))

    def test_commands(self) -> None:
        """
        With Ctrl, letters act instead of typing: the bell, copy, paste, and a new beginning; others do nothing.
        """
        state = State()
        state.receiveClipboard("from afar", 0.0)
        typeText(state, "a")
        self.assertEqual(press(state, Key.CONTROL_LEFT, ord("g")), Effect.BELL)
        self.assertEqual(press(state, Key.CONTROL_RIGHT, ord("c")), Effect.COPY)
        self.assertIsNone(press(state, Key.CONTROL_LEFT, ord("v")))
        self.assertEqual(state.typedText, "afrom afar")
        self.assertIsNone(press(state, Key.CONTROL_LEFT, ord("z")))
        self.assertEqual(state.typedText, "afrom afar")
        press(state, Key.CONTROL_LEFT, ord("U"))
        self.assertEqual(state.typedText, "")

    def test_ctrlAltDel(self) -> None:
        """
        Ctrl-Alt-Del is told.
        """
        state = State()
        press(state, Key.CONTROL_LEFT, Key.ALT_LEFT, Key.DELETE)
        self.assertIn("Ctrl-Alt-Del", state.notice[0])

    def test_altGraph(self) -> None:
        """
        Ctrl and Alt together, as some keyboards send AltGr, still type.
        """
        state = State()
        press(state, Key.CONTROL_LEFT, Key.ALT_RIGHT, ord("@"))
        self.assertEqual(state.typedText, "@")

    def test_held(self) -> None:
        """
        A key is held until it is let go, or until everything is.
        """
        state = State()
        state.key(True, Key.SHIFT_LEFT, 0.0)
        state.key(True, ord("a"), 0.0)
        state.key(True, ord("a"), 0.0)
        state.key(False, ord("b"), 0.0)
        self.assertEqual(list(state.held), [Key.SHIFT_LEFT, ord("a")])
        self.assertEqual(list(state.caps), [Key.SHIFT_LEFT, ord("a"), ord("a")])
        state.key(False, ord("a"), 0.0)
        self.assertEqual(list(state.held), [Key.SHIFT_LEFT])
        state.releaseAll()
        self.assertEqual(list(state.held), [])

    def test_bounded(self) -> None:
        """
        A viewer that presses all keys there are does not fill the memory.
        """
        state = State()
        for keysym in range(0x1000000, 0x1000000 + 500):
            state.key(True, keysym, 0.0)
            state.point(keysym & 0xFF, keysym & 0xFFF, 5, 0.0)
        for kept in (state.held, state.caps, state.ripples, state.trail):
            self.assertEqual(len(kept), 24)


class PointerTests(SynchronousTestCase):
    """
    Tests for the pointer.
    """

    def test_moves(self) -> None:
        """
        A move leaves a trace, standing still does not.
        """
        state = State()
        for x in (1, 2, 2):
            state.point(0, x, 5, 10.0)
        self.assertEqual(state.pointer, (2, 5))
        self.assertEqual(list(state.trail), [Trace(10.0, 1, 5), Trace(10.0, 2, 5)])
        self.assertEqual(list(state.ripples), [])

    def test_buttons(self) -> None:
        """
        A button makes a ripple when it goes down, not while it is down and not when it goes up.
        """
        state = State()
        for buttons in (0b1, 0b101, 0b100, 0, 0b1_0000_0000):
            state.point(buttons, 7, 8, 1.0)
        self.assertEqual([ripple.button for ripple in state.ripples], [1, 3, 9])
        self.assertEqual(state.buttons, 0b1_0000_0000)

    def test_lit(self) -> None:
        """
        A button is lit while it is down, and for a moment after it went down.
        """
        state = State()
        self.assertFalse(state.lit(4, 0.0))
        state.point(0b1000, 1, 1, 5.0)
        self.assertTrue(state.lit(4, 50.0))
        state.point(0, 1, 1, 5.0)
        self.assertTrue(state.lit(4, 5.0 + LIT_SECONDS / 2))
        self.assertFalse(state.lit(4, 5.01 + LIT_SECONDS))


class FadingTests(SynchronousTestCase):
    """
    Tests for what is seen only for a while.
    """

    def test_fade(self) -> None:
        """
        Ripples, traces and notices go when their time is over, not before.
        """
        state = State()
        state.point(1, 3, 4, 100.0)
        state.tell("listen", 100.0)
        state.fade(100.0 + TRAIL_SECONDS / 2)
        self.assertEqual((len(state.ripples), len(state.trail), state.notice[0]), (1, 1, "listen"))
        state.fade(100.0 + max(RIPPLE_SECONDS, TRAIL_SECONDS))
        self.assertEqual((len(state.ripples), len(state.trail), state.notice[0]), (0, 0, "listen"))
        state.fade(100.0 + NOTICE_SECONDS)
        self.assertEqual(state.notice[0], "")

    def test_clipboard(self) -> None:
        """
        A clipboard that arrives is told in one short line and kept whole.
        """
        state = State()
        state.receiveClipboard("two\nlines", 0.0)
        self.assertIn("two lines", state.notice[0])
        state.receiveClipboard("long " * 100, 0.0)
        self.assertIn("...", state.notice[0])
        self.assertTrue(len(state.notice[0]) < 100)
        self.assertEqual(state.clipboard, "long " * 100)
        state.receiveClipboard("", 0.0)
        self.assertIn("(empty)", state.notice[0])
