"""
The metadata is in setup.cfg. Here is only what a wheel asks for beyond it: the browser page, built.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_PAGE = Path(__file__).parent / "vncproxy" / "static" / "vnc_auto.html"


class BuildWithPage(build_py):
    """
    Copies the package, and sees to it that the page in it is there and is of one build.
    """

    def run(self) -> None:
        """
        @raise SystemExit: the page was not built. An editable installation may come before it.
        """
        if not self.editable_mode:
            if not _PAGE.exists():
                raise SystemExit(f"{_PAGE} is missing: the browser page is not built. Run `make pages` first.")
            # What an earlier build has copied would come along: assets under other hashes, modules that are gone.
            shutil.rmtree(Path(self.build_lib, "vncproxy"), ignore_errors=True)
        super().run()


setup(cmdclass={"build_py": BuildWithPage})
