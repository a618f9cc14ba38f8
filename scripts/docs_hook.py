"""Make links that leave docs/ work on the site too: MkDocs reads this file as a hook, as mkdocs.yml says.

On a code host, a page links to `../README.md` or `../src/seedbed/errors.py`, and the host shows that file. A site holds
only what lies in docs/. So each file that a page links to becomes a page of the site, below `repository/`: Markdown as
it is, and anything else as one block of code. Then links are rewritten to lead there. A link to a file that does not
exist is left as it is, and MkDocs refuses it.
"""

import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
ADDED = "repository/"

_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
_LANGUAGES = {".py": "python", ".pyi": "python", ".toml": "toml", ".yaml": "yaml", ".sh": "bash"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file outside docs/ that is linked, from docs/ or from such a page."""
    todo = [f"{DOCS}{file.src_uri}" for file in files.documentation_pages()]
    seen = set(todo)
    while todo:
        page = todo.pop()
        for target in _targets(page, (ROOT / page).read_text("utf-8")):
            if target in seen or target.startswith(DOCS) or not (ROOT / target).is_file():
                continue
            seen.add(target)
            files.append(File.generated(config, _uri(target), content=_content(target)))
            if target.endswith(".md"):
                todo.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  by name
    """Rewrite the page's links: what was a path in the repository becomes a path on the site."""
    here = page.file.src_uri
    source = _path(here)
    return _LINK.sub(lambda link: link[1] + _moved(link[2], source, here) + link[3], markdown) if source else markdown


def _uri(path: str) -> str:
    """Where on the site a file outside docs/ is shown. README gets small letters: MkDocs would take it for an index."""
    return ADDED + (path.replace("README", "readme") if path.endswith(".md") else f"{path}.md")


def _path(uri: str) -> str:
    """The Markdown file in the repository that a page of the site shows; empty for a file of code."""
    if not uri.startswith(ADDED):
        return DOCS + uri
    is_code = (ROOT / uri.removeprefix(ADDED).removesuffix(".md")).is_file()
    return "" if is_code else uri.removeprefix(ADDED).replace("readme", "README")


def _targets(page: str, markdown: str) -> list[str]:
    """The files of the repository that a page of it links to, as paths from its root."""
    links = [link[1].partition("#")[0] for link in _LINK.findall(markdown) if "://" not in link[1]]
    return [posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) for link in links if link]


def _moved(link: str, source: str, here: str) -> str:
    path, mark, anchor = link.partition("#")
    if "://" in link or not path:
        return link
    target = _targets(source, f"[]({path})")[0]
    if not (ROOT / target).is_file():
        return link
    there = target.removeprefix(DOCS) if target.startswith(DOCS) else _uri(target)
    return posixpath.relpath(there, posixpath.dirname(here) or ".") + mark + anchor


def _content(path: str) -> str:
    text = (ROOT / path).read_text("utf-8")
    if path.endswith(".md"):
        return text
    language = _LANGUAGES.get(PurePosixPath(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n````{language}\n{text}\n````\n"
