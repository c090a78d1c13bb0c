"""What tests launch in several processes: a command, by its module's name; each process leaves its number in a folder.

Started with `--cpu`, accelerate's launcher begins one process, whatever number it is given, and says nothing: the
numbers tell.
"""

import os
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    number, count = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    (Path(os.environ["NUMBERS"]) / f"{number} of {count}").touch()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
