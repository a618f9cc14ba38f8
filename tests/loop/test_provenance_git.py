"""The commit and what is not committed: read beside the run, by content, and unknown with a reason where it must be."""

import os
import subprocess
import threading

import pytest

from seedbed.loop.provenance import _git
from seedbed.loop.provenance._git import GitFacts, GitReading, repository_of

WHO = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "protocol.file.allow=always")


def git(folder, *arguments):
    done = subprocess.run(["git", "-C", str(folder), *WHO, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.py").write_text("a = 1\n")
    (folder / "with space é.py").write_text("b = 1\n")
    commit(folder)
    return folder


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "a step")
    return git(folder, "rev-parse", "HEAD")


def facts(folder, **options):
    return GitReading(folder, **options).facts()


def test_a_clean_tree_has_a_commit_and_no_difference(repository):
    found = facts(repository)
    assert (found.commit, found.uncommitted, found.num_changed, found.unknown, found.patch) == (
        *(git(repository, "rev-parse", "HEAD"), None, 0),
        *("", ""),
    )
    (repository / "untracked.py").write_text("c")
    assert facts(repository) == found


def test_the_difference_is_told_by_content_and_comes_back_with_it(repository):
    seen = []
    for text in ("a = 2\n", "a = 3\n", "a = 2\n"):
        (repository / "a.py").write_text(text)
        seen.append(facts(repository))
    assert seen[0] == seen[2] != seen[1]
    assert seen[0].num_changed == 1
    git(repository, "add", "-A")
    assert facts(repository).uncommitted == seen[0].uncommitted


@pytest.mark.parametrize("how", ["removed", "renamed", "executable", "link", "name with a space", "folder"])
def test_every_kind_of_change_is_one(repository, how):
    path = repository / "a.py"
    if how == "renamed":
        git(repository, "mv", "a.py", "c.py")
    elif how == "executable":
        path.chmod(0o755)
    elif how == "name with a space":
        (repository / "with space é.py").write_text("changed")
    else:
        path.unlink()
        if how == "link":
            path.symlink_to("elsewhere")
        elif how == "folder":
            path.mkdir()
    found = facts(repository)
    assert found.uncommitted is not None
    assert found.num_changed == (2 if how == "renamed" else 1)


def test_files_that_are_unmerged_are_changes(repository):
    git(repository, "checkout", "-q", "-b", "other")
    (repository / "a.py").write_text("a = 2\n")
    commit(repository)
    git(repository, "checkout", "-q", "main")
    (repository / "a.py").write_text("a = 3\n")
    commit(repository)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")
    assert facts(repository).num_changed == 1


def test_settings_of_the_user_change_nothing_and_hooks_do_not_run(repository, tmp_path, monkeypatch):
    (repository / "a.py").write_text("a = 2\n")
    plain = facts(repository, with_patch=True)
    ran = tmp_path / "ran"
    (tmp_path / "program").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (tmp_path / "program").chmod(0o755)
    for name, value in {
        "core.fsmonitor": str(tmp_path / "program"),
        "diff.external": str(tmp_path / "program"),
        "status.renames": "copies",
        "status.showUntrackedFiles": "all",
        "color.ui": "always",
        "diff.noprefix": "true",
    }.items():
        git(repository, "config", name, value)
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(tmp_path / "program"))
    found = facts(repository, with_patch=True)
    assert (found.commit, found.uncommitted) == (plain.commit, plain.uncommitted)
    assert "+a = 2" in found.patch
    assert "\x1b" not in found.patch
    assert not ran.exists()


def test_the_patch_is_kept_only_if_asked_and_never_more_than_a_mebibyte(repository, monkeypatch):
    (repository / "a.py").write_text("a = 2\n")
    assert facts(repository).patch == ""
    patch = facts(repository, with_patch=True).patch
    assert "-a = 1\n+a = 2\n" in patch
    monkeypatch.setattr(_git, "_LARGEST_PATCH", 10)
    assert facts(repository, with_patch=True).patch == (
        f"{patch[:10]}\n(cut here: the difference is larger than a mebibyte)\n"
    )


def test_without_a_repository_or_a_commit_it_is_unknown(tmp_path):
    assert facts(None).unknown == "the code is in no git repository"
    git(tmp_path, "init", "-q")
    found = facts(tmp_path)
    assert (found.commit, found.unknown) == (None, "the repository has no commit yet")


def test_the_repository_is_the_nearest_folder_above_that_has_one(repository, tmp_path):
    (repository / "deep" / "deeper").mkdir(parents=True)
    assert repository_of(repository / "deep" / "deeper") == repository
    assert repository_of(repository) == repository
    (repository / ".git").rename(tmp_path / "moved")
    assert repository_of(repository / "deep") in {None, repository_of(tmp_path)}


@pytest.fixture
def without_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("place", ["loose", "packed", "detached", "worktree", "packed worktree"])
def test_without_git_the_commit_is_read_from_its_files(repository, tmp_path, place, monkeypatch):
    expected, folder = git(repository, "rev-parse", "HEAD"), repository
    if "worktree" in place:
        folder = tmp_path / "further"
        git(repository, "worktree", "add", "-q", "-b", "side", str(folder))
    if "packed" in place:
        git(repository, "pack-refs", "--all")
    if place == "detached":
        git(repository, "checkout", "-q", "--detach")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    found = facts(folder)
    assert found.commit == expected
    assert (found.uncommitted, found.unknown) == (None, "git is not installed, so what is not committed is not known")


@pytest.mark.usefixtures("without_git")
def test_files_that_name_no_commit_leave_it_unknown(tmp_path):
    for name, head in (("empty", None), ("odd", "nonsense"), ("unborn", "ref: refs/heads/main")):
        (tmp_path / name / ".git").mkdir(parents=True)
        if head is not None:
            (tmp_path / name / ".git" / "HEAD").write_text(head)
        found = facts(tmp_path / name)
        assert (found.commit, found.unknown.startswith("git is not installed")) == (None, True)


def test_a_git_that_fails_or_hangs_fails_no_run(repository, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    for text in ("exit 3", "exec sleep 60", "kill -9 $$"):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
            patched.setattr(_git, "_SECONDS", 0.5)
            found = facts(repository)
        assert found.unknown
        assert found.commit in {None, git(repository, "rev-parse", "HEAD")}


def test_the_run_does_not_wait_for_it(repository, monkeypatch):
    may_end = threading.Event()

    def slow(root, with_patch):
        assert may_end.wait(60)
        return GitFacts("late")

    monkeypatch.setattr(_git, "_facts", slow)
    reading = GitReading(repository)  # it cannot have ended, and this line is over
    may_end.set()
    assert reading.facts().commit == "late"
