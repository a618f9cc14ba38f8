"""`seedbed docs`: the documentation pages, read in a terminal. They come with the package."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from seedbed.cli.console._render import errors, out
from seedbed.errors import NotFound
from seedbed.render.text._layout import plain_table

__all__ = ["docs", "find_page", "pages"]

_PACKAGE = Path(__file__).resolve().parents[2]
FOLDERS = (_PACKAGE / "docs", _PACKAGE.parents[1] / "docs")
"""Where the pages are: inside an installed package, or beside `src` in a checkout."""


def docs(
    page: Annotated[str | None, typer.Argument(metavar="PAGE", help="Which page to show.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Print the page's Markdown as it is written.")] = False,
) -> None:
    """List the documentation pages, or show one.

    \b
    Examples:
      seedbed docs
      seedbed docs query
      seedbed docs design/gc --plain
    """
    if page is None:
        _list(pages(), plain=plain)
        return
    text = find_page(page, pages()).read_text(encoding="utf-8")
    if plain:
        out().out(text, end="", highlight=False)
        return
    from rich.markdown import Markdown

    out().print(Markdown(text, hyperlinks=False))


def pages(folders: Iterable[Path] = FOLDERS) -> dict[str, Path]:
    """Each page's file by its name, such as `query` or `design/gc`, from the first of `folders` that exists.

    Raises NotFound when none exists.
    """
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise NotFound("this installation has no documentation pages; install Seedbed again to get them")
    found = sorted(_readable(folder), key=lambda path: (len(path.relative_to(folder).parts), path))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}


def _readable(folder: Path) -> Iterator[Path]:
    """The pages without those of the API reference, which the site fills in; public-surface.txt has those names."""
    return (path for path in folder.rglob("*.md") if path.relative_to(folder).parts[0] != "api")


def find_page(name: str, among: dict[str, Path]) -> Path:
    """The file of the page `name`, which may also be written as a path: `docs/query.md`. Raises NotFound."""
    wanted = name.lower().removeprefix("docs/").removesuffix(".md")
    if wanted not in among:
        near = get_close_matches(wanted, among, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise NotFound(f"there is no page {name!r}.{guess} `seedbed docs` lists all pages")
    return among[wanted]


def _list(found: dict[str, Path], *, plain: bool) -> None:
    if plain:
        out().out("\n".join(found), highlight=False)
        return
    table = plain_table("page", "title")
    for name, path in found.items():
        table.add_row(Text(name, style="bold"), _title(path))
    out().print(table)
    errors().print("`seedbed docs PAGE` shows a page", style="dim")


def _title(path: Path) -> str:
    """The page's first heading."""
    with path.open(encoding="utf-8") as lines:
        return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), "")
