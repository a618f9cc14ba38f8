"""Write into a page what its blocks print: each block `text` becomes the output of the block before it.

    python scripts/page_outputs.py docs/tutorial.md

The tests run the page the same way and compare; run this when a message was changed, and read the difference.
"""

import contextlib
import re
import runpy
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_OUTPUT = re.compile(r"^```text\n.*?^```\n", re.MULTILINE | re.DOTALL)


def main() -> None:
    page = Path(sys.argv[1]).resolve()
    tests = runpy.run_path(str(ROOT / "tests" / "test_docs.py"))
    names: dict[str, object] = {"__name__": "__main__"}
    text, shown, printed = page.read_text("utf-8"), [], ""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in tests["blocks"](text):
            if block.language == "text":
                shown.append("".join(f"{line.rstrip()}\n" for line in printed.splitlines()))
            else:
                printed = tests["run_block"](block, page.name, names)
    outputs = iter(shown)
    page.write_text(_OUTPUT.sub(lambda _: f"```text\n{next(outputs)}```\n", text), "utf-8")


if __name__ == "__main__":
    main()
