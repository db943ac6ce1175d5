"""
L{vncproxy.demo.scene}: the demo's picture.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.demo.canvas import Canvas, Rect
from vncproxy.demo.panels import Caps, Facts, Mouse, Notes
from vncproxy.demo.scene import LEAST, MOST, Scene, layOut
from vncproxy.demo.state import State


class SceneTests(SynchronousTestCase):
    """
    Tests for L{Scene}.
    """

    def test_changesAreTold(self) -> None:
        """
        Whoever copies only what each frame tells has the whole picture, whatever happens.
        """
        scene, state = Scene(640, 480, 0.0), State()
        copy = Canvas(640, 480)
        copy.copy(scene.screen, copy.bounds)
        for step in range(40):
            now = step / 10
            if step % 3 == 0:
                state.point(step & 5, step * 15, step * 11, now)
            if step % 4 == 0:
                state.key(True, 0x41 + step, now)
            if step == 20:
                state.tell("half way", now)
            state.fade(now)
            for rect in scene.frame(state, now):
                copy.copy(scene.screen, rect)
            self.assertEqual(copy.data, scene.screen.data)

    def test_tracesGo(self) -> None:
        """
        What moves leaves nothing behind.
        """
        touched, untouched = Scene(400, 300, 0.0), Scene(400, 300, 0.0)
        for step in range(10):
            touched.frame(State(pointer=(50 + step, 80), buttons=1), step / 10)
        self.assertNotEqual(touched.screen.data, untouched.screen.data)
        touched.frame(State(), 100.0)
        untouched.frame(State(), 100.0)
        self.assertEqual(touched.screen.data, untouched.screen.data)

    def test_calm(self) -> None:
        """
        While nobody does anything a frame changes a small part of the picture.
        """
        scene, state = Scene(1024, 640, 0.0), State()
        scene.frame(state, 0.0)
        areas = [sum(rect.area for rect in scene.frame(state, step / 12)) for step in range(1, 48)]
        self.assertTrue(0 < sum(areas) / len(areas) < 1024 * 640 / 20, sum(areas) / len(areas))

    def test_windowsHideFireflies(self) -> None:
        """
        No firefly shines through the notes.
        """
        scene, state = Scene(640, 480, 0.0), State()
        (notes,) = (panel for panel in layOut(640, 480, 0.0) if isinstance(panel, Notes))
        inner = notes.covers.inset(4)
        scene.frame(state, 0.0)
        before = scene.screen.cut(inner)
        for step in range(1, 30):
            scene.frame(state, step * 1.1)  # the caret is seen in every one of these moments, or in none
            if int(step * 1.1 / 0.55) % 2 == 0:
                self.assertEqual(scene.screen.cut(inner), before)

    def test_layouts(self) -> None:
        """
        At every size the notes and the line of facts are there, all windows lie within the picture, and none covers
        another; mouse and keys are there where they fit.
        """
        for width, height in (LEAST, (400, 700), (760, 480), (1024, 640), (1920, 1080), MOST, (MOST[0], LEAST[1])):
            panels = layOut(width, height, 0.0)
            kinds = {type(panel) for panel in panels}
            self.assertTrue({Notes, Facts} <= kinds)
            self.assertEqual(Mouse in kinds, Caps in kinds)
            self.assertTrue(Mouse in kinds or width < 760 or height < 480, (width, height))
            covers = [panel.covers for panel in panels if panel.covers.area]
            for i, one in enumerate(covers):
                self.assertEqual(one.within(Rect(0, 0, width, height)), one, (width, height))
                for other in covers[i + 1 :]:
                    self.assertEqual(one.within(other).area, 0, (width, height))
