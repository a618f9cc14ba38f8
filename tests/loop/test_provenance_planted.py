"""Real runs that differ in one planted thing each: `seedbed runs why` names it first, and nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.records import Store, why

HERE = Path(__file__).parent
MODEL = """
from torch import nn

def make_model(width):
    attention = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=32, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.Linear(16, width), attention, nn.Flatten(), nn.Linear(8 * width, 4))
"""
SEEDING = """
import random

import numpy
import torch

def seed(value):
    random.seed(value)
    numpy.random.seed(value)
    torch.manual_seed(value)
"""
SECRET = "hunter2hunter2"

pytestmark = pytest.mark.slow


class Project:
    """A user's folder with a repository, a script, two modules and a package that is installed beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.installed = folder / "project", folder / "store", folder / "site-packages"
        self.folder.mkdir()
        shutil.copy(HERE / "provenance_train_program.py", self.folder / "train.py")
        self.write("model.py", MODEL)
        self.write("seeding.py", SEEDING)
        self.write("README.md", "a project\n")
        self.install("1.0")
        self.git("init", "-q")
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def install(self, version: str) -> None:
        shutil.rmtree(self.installed, ignore_errors=True)
        facts = self.installed / f"tinypkg-{version}.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tinypkg\nVersion: {version}\n")
        (self.installed / "tinypkg.py").write_text("WIDTH = 32\n")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a step")
        return self.git("rev-parse", "HEAD")

    def train(self, run: str, *options: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self.installed), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(self.folder / "train.py"), str(self.store), run, *options]
        subprocess.run(command, cwd=self.folder, env=environment, check=True, timeout=240)

    def snapshot(self, run: str):
        store = Store.open(self.store)
        return next(each for each in store.log("planted").commits() if each.snapshot.run_id == run)

    def since_base(self, run: str):
        return Store.open(self.store).log("planted").diff(self.snapshot("base"), self.snapshot(run))

    def why(self, earlier: str, later: str):
        log = Store.open(self.store).log("planted")
        before, after = self.snapshot(earlier), self.snapshot(later)
        return why(before.snapshot, after.snapshot, log.diff(before, after), [])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("planted"))
    made.train("base")
    return made


def words(found):
    return [cause.words for cause in found.causes]


def test_a_commit_that_touched_no_file_that_ran_is_named_and_leaves_the_pair_exactly_comparable(project):
    earlier = project.git("rev-parse", "HEAD")
    project.write("README.md", "another text\n")
    later = project.commit()
    project.train("committed")
    project.git("reset", "-q", "--hard", earlier)
    assert words(project.why("base", "committed")) == [f"commit {earlier[:8]}… against {later[:8]}…"]
    assert project.since_base("committed").policy == "EXACT"
    assert project.snapshot("base").snapshot.metrics == project.snapshot("committed").snapshot.metrics


def test_an_edited_module_is_named_by_its_file_and_the_pair_stays_comparable(project):
    project.write("model.py", MODEL.replace("dim_feedforward=32", "dim_feedforward=64"))
    project.train("edited")
    project.git("checkout", "-q", "model.py")
    found = project.why("base", "edited")
    # A larger model draws more numbers before the run begins.
    assert words(found) == [
        "model.py differs",
        "uncommitted changes, in the later run alone",
        "the generator of torch began in another state",
    ]
    since = project.since_base("edited")
    assert (since.comparable, since.policy) == (True, "ABLATION")
    assert [item.name for item in since.excluded_factors] == ["/fingerprints/code"]
    assert since.summary.endswith("comparable as `--policy ablation --factor code`")


def test_another_version_of_a_package_is_named_with_both(project):
    project.install("1.1")
    project.train("new-package")
    project.install("1.0")
    assert words(project.why("base", "new-package")) == ["tinypkg 1.0 against 1.1"]


def test_a_change_while_it_ran_is_named_with_its_step(project):
    project.train("halved", "--halve", "3")
    assert words(project.why("base", "halved")) == ["the change of optimizer.lr at step 4, in the later run alone"]


def test_another_kernel_is_named_with_both(project):
    project.train("by-math", "--math")
    audits = [project.snapshot(run).snapshot.documents["audit_run"] for run in ("base", "by-math")]
    fused, by_math = (", ".join(sorted(audit["sdpa"]["kernels"])) for audit in audits)
    assert fused != by_math
    found = words(project.why("base", "by-math"))
    assert f"sdpa: {fused} ran in the earlier run, {by_math} in the later one" in found
    # What follows from it: the run is degraded, since flash was asked for and did not run.
    assert all(each.startswith(("sdpa", "flash", "course/runtime")) for each in found)


def test_a_setting_is_named_in_the_command_and_no_secret_path_or_name_is_in_a_byte_of_the_store(project):
    project.train("fast", "--rate", "0.3", "--api-key", SECRET)
    said = project.snapshot("fast").snapshot.process["command"]
    assert (said[0], said[-2:]) == ("train.py", ["--api-key", "<secret>"])
    for file in project.store.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert SECRET.encode() not in content, file.name
        assert str(project.folder).encode() not in content, file.name
    command = [sys.executable, "-m", "seedbed", "runs", "why", "fast", "base", "--store", str(project.store)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout
    assert "what differs, the likeliest to matter first: config/rate differs: 0.003 / 0.3" in told
