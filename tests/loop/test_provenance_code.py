"""The user's own files, the packages that they import, the machine and the generators, as a record is told."""

import hashlib
import importlib
import importlib.metadata
import os
import random
import subprocess
import sys
import time
import types
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.loop.provenance import Collecting, _machine, _modules, collect
from seedbed.loop.provenance._git import GitFacts
from seedbed.loop.provenance._modules import (
    LocalCode,
    imported_names,
    local_files,
    notebook_cells,
    process_began,
    script,
)
from seedbed.loop.provenance._packages import Package, loaded_modules, packages_of
from seedbed.records import NOT_APPLICABLE, UNKNOWN, Store, digest, environment_facts


@pytest.fixture
def main(monkeypatch):
    """Stands in for the module of the script that runs."""
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


@pytest.fixture
def project(tmp_path, monkeypatch, main):
    """A folder with a script that runs, and modules beside it; nothing else counts as the user's own."""
    folder = tmp_path / "project"
    (folder / "package_of_test").mkdir(parents=True)
    (folder / "train.py").write_text("import numpy, yaml\n")
    (folder / "package_of_test" / "__init__.py").write_text("")
    (folder / "package_of_test" / "inner.py").write_text("from sklearn.datasets import load_digits\n")
    main.__file__ = str(folder / "train.py")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "argv", [str(folder / "train.py"), "--rate", "0.1", "--data", str(folder / "data")])
    hidden = [name for name, module in list(sys.modules.items()) if _is_of_the_tests(module)]
    for name in hidden:
        monkeypatch.delitem(sys.modules, name)
    yield folder
    for name in [each for each in sys.modules if each.startswith("package_of_test")]:
        del sys.modules[name]


def told(found):
    return found.process


def _is_of_the_tests(module):
    file = getattr(module, "__file__", None)
    if module.__name__.partition(".")[0] == "seedbed":
        return False
    return isinstance(file, str) and module.__name__ != "__main__" and _modules._may_be_local(file)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_the_script_and_the_modules_beside_it_are_digested_by_their_place_in_the_project(project):
    collecting = Collecting()
    importlib.import_module("package_of_test.inner")
    code = told(collecting.finished())["code"]
    names = ["package_of_test/__init__.py", "package_of_test/inner.py", "train.py"]
    assert code["files"] == [[name, sha256(project / name)] for name in names]
    assert code["script"] == "train.py"


def test_a_project_that_is_reached_through_a_link_has_the_same_names(project, tmp_path, main, monkeypatch):
    direct = collect()
    (tmp_path / "link").symlink_to(project)
    main.__file__ = str(tmp_path / "link" / "train.py")
    monkeypatch.setattr(sys, "argv", [main.__file__, "--rate", "0.1", "--data", "/elsewhere/data"])
    found = collect()
    assert found.fingerprints == direct.fingerprints
    assert told(found)["command"] == ["train.py", "--rate", "0.1", "--data", "/elsewhere/data"]


def test_a_file_that_is_edited_while_the_run_goes_on_counts_as_it_ran(project):
    collecting = Collecting()
    before = sha256(project / "train.py")
    (project / "train.py").write_text("edited")
    found = collecting.finished()
    assert dict(told(found)["code"]["files"])["train.py"] == before
    assert found.fingerprints["code"] == digest(dict(told(found)["code"]["files"]))


def test_files_that_were_written_after_the_process_began_are_told(project):
    found = collect()
    assert told(found)["code"]["edited"] == ["train.py"]
    assert "another text may have run" in found.fingerprint_sources["code"]
    os.utime(project / "train.py", (process_began() - 5,) * 2)
    found = collect()
    assert "edited" not in told(found)["code"]
    assert found.fingerprint_sources["code"] == "the files in process.code.files"


@pytest.mark.slow
def test_a_process_began_when_it_was_started():
    before = time.time()
    program = "from seedbed.loop.provenance._modules import process_began; print(process_began())"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert before - 0.1 <= float(done.stdout) <= time.time()
    assert process_began() < before


def test_a_module_from_elsewhere_is_named_below_the_folder_that_it_was_imported_from(tmp_path, project, monkeypatch):
    other = tmp_path / "elsewhere"
    (other / "package_of_test_b").mkdir(parents=True)
    for name in ("__init__.py", "deep.py"):
        (other / "package_of_test_b" / name).write_text(f"# {name}\n")
    monkeypatch.syspath_prepend(str(other))
    importlib.import_module("package_of_test_b.deep")
    code = LocalCode(project)
    code.look()
    assert {"package_of_test_b/__init__.py", "package_of_test_b/deep.py", "train.py"} == set(code.files)


def test_neither_python_nor_what_is_installed_nor_seedbed_is_the_users_own(project):
    found = [str(path) for _, path in local_files()]
    assert found == [str(project / "train.py")] * len(found)


def test_a_file_that_is_gone_is_left_out(project, main):
    importlib.import_module("package_of_test.inner")
    (project / "package_of_test" / "inner.py").unlink()
    code = LocalCode(project)
    code.look()
    assert set(code.files) == {"package_of_test/__init__.py", "train.py"}


@pytest.mark.parametrize("file", [None, "gone.py", importlib.__file__])
def test_without_a_script_of_its_own_the_code_is_unknown(project, main, file, monkeypatch):
    main.__file__ = file
    monkeypatch.chdir(project)
    assert script() is None
    found = collect()
    assert (found.fingerprints["code"], found.fingerprint_sources["code"]) == (
        UNKNOWN,
        "neither a script nor a notebook runs",
    )
    assert "script" not in told(found)["code"]


def test_in_a_notebook_the_different_cells_that_were_run_are_the_code(project, main, monkeypatch):
    del main.__file__
    monkeypatch.chdir(project)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    assert notebook_cells() == []
    main.In = ["", "import sklearn", "train()", "train()"]
    first = collect()
    assert [name for name, _ in told(first)["code"]["files"]] == ["notebook cells"]
    assert "scikit-learn" in told(first)["environment"]["packages"]
    main.In.append("train()")
    assert collect().fingerprints["code"] == first.fingerprints["code"]
    main.In.append("train(2)")
    assert collect().fingerprints["code"] != first.fingerprints["code"]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (b"import torch", {"torch"}),
        (b"import os, torch.nn as nn, numpy as np", {"os", "torch", "numpy"}),
        (b"from sklearn.linear_model import Ridge\n    import yaml", {"sklearn", "yaml"}),
        (b"from . import model\nfrom .model import x", set()),
        (b"important = 1\nx = 'import torch'", set()),
    ],
)
def test_imports_are_read_from_the_source(source, names):
    assert imported_names(source) == names


def test_the_packages_that_the_code_imports_are_inputs_and_all_others_that_are_loaded_are_told(project):
    importlib.import_module("package_of_test.inner")
    found = collect()
    assert told(found)["environment"] == environment_facts(["PyYAML", "pyyaml", "scikit-learn"]) | {
        "packages": {name: importlib.metadata.version(name) for name in ("numpy", "pyyaml", "scikit-learn", "torch")}
    }
    loaded = dict(told(found)["imported"])
    assert loaded["pydantic"] == importlib.metadata.version("pydantic")
    assert loaded["pytest"] == importlib.metadata.version("pytest")


@pytest.mark.slow
def test_every_loaded_module_has_the_package_that_the_standard_library_finds_for_it():
    by_metadata = importlib.metadata.packages_distributions()
    found = packages_of(loaded_modules())
    assert len(found) > 20
    for module, (name, version) in found.items():
        if name == "seedbed":  # where it is installed to be edited, its list of files names none of them
            continue
        owners = {each.lower().replace("_", "-").replace(".", "-"): each for each in by_metadata.get(module, [])}
        assert name.lower().replace(".", "-") in owners, module
        assert importlib.metadata.version(owners[name.lower().replace(".", "-")]) == version


def test_packages_whose_folders_cannot_be_read_are_left_out(tmp_path, monkeypatch):
    facts = tmp_path / "some_package-1.2+local.dist-info"
    facts.mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "gone.zip")])
    assert packages_of(["some_package", "os", "_private", "nobody"]) == {
        "some_package": Package("some-package", "1.2+local")
    }
    (facts / "RECORD").write_text("other_name/__init__.py,,\n")
    assert packages_of(["other_name"]) == {"other_name": Package("some-package", "1.2+local")}
    assert packages_of(["os"]) == {}


def test_each_generator_has_a_digest_that_its_seed_decides():
    def seeded(value):
        random.seed(value)
        np.random.seed(value)  # noqa: NPY002
        torch.manual_seed(value)
        return dict(_machine.generator_digests())

    state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    first, other, again = seeded(0), seeded(1), seeded(0)
    assert first == again
    assert set(first) == {"python", "numpy", "torch"}
    assert not set(first.values()) & set(other.values())
    for name, draw in (("python", random.random), ("numpy", np.random.rand), ("torch", lambda: torch.rand(1))):
        before = dict(_machine.generator_digests())
        draw()
        after = dict(_machine.generator_digests())
        assert {each for each in before if before[each] != after[each]} == {name}
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    torch.set_rng_state(state[2])


def test_the_seed_is_what_torch_was_given_last_and_a_text_where_json_has_no_such_number():
    state = torch.get_rng_state()
    collecting = Collecting()
    torch.manual_seed(7)
    assert collecting.finished().factors["seed"] == 7
    torch.manual_seed(2**60)
    assert collecting.finished().factors["seed"] == str(2**60)
    torch.set_rng_state(state)


def test_the_state_of_the_generators_is_that_of_the_start():
    before = dict(_machine.generator_digests())
    collecting = Collecting()
    state = torch.get_rng_state()
    torch.rand(3)
    assert told(collecting.finished())["generators"] == before
    torch.set_rng_state(state)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("seeded", [False, True])
def test_a_generator_is_idle_where_nobody_drew_from_it_before_or_in_the_run(seeded, before):
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002  the global one

    def idle(*draws):
        if seeded:
            random.seed(3)
            np.random.seed(3)  # noqa: NPY002
        else:
            random.seed()
            np.random.seed()  # noqa: NPY002
        for draw in draws if before else ():
            draw()
        collecting = Collecting()
        for draw in () if before else draws:
            draw()
        return told(collecting.finished())["generators_idle"]

    try:
        assert idle() == ["numpy", "python"]
        for draw in (random.random, lambda: random.gauss(0, 1), lambda: random.shuffle([1, 2, 3])):
            assert idle(draw) == ["numpy"]
        for draw in (np.random.rand, np.random.randn):
            assert idle(draw) == ["python"]
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002


def test_the_hardware_names_no_machine():
    found = _machine.hardware_facts()
    assert set(found) == {"cpu", "cores", "memory_gib", "gpus"}
    assert isinstance(found["memory_gib"], int)
    assert found["gpus"] == [] or torch.cuda.is_initialized()
    assert not torch.cuda.is_initialized()


def test_the_record_takes_all_of_it_and_names_no_folder(project, tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    found = collect([1, 2, 3], with_patch=True)
    with store.start("mine") as run:
        commit = run.finish(
            run.draft(
                fingerprints=found.fingerprints,
                fingerprint_sources=found.fingerprint_sources,
                process=found.process,
                inputs=found.inputs,
                factors=found.factors,
            )
        )
    snapshot: Any = commit.snapshot
    assert snapshot.process == found.process
    assert told(snapshot)["command"] == ["train.py", "--rate", "0.1", "--data", "data"]
    assert snapshot.inputs == {"data": {"items": 3}}
    assert snapshot.fingerprints["split"] == NOT_APPLICABLE
    assert snapshot.course["packages"]["torch"] == importlib.metadata.version("torch")
    assert snapshot.fingerprints["environment"] == digest(
        {name: value for name, value in told(snapshot)["environment"].items() if name != "packages"}
    )


@pytest.mark.slow
def test_the_patch_is_a_payload_without_its_secrets(project):
    git = ("git", "-C", str(project), "-c", "user.name=n", "-c", "user.email=n@example.org")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *arguments], check=True)
    (project / "train.py").write_text(f'API_KEY = "hunter2hunter2"\nROOT = "{project}"\nrate = 0.5\n')
    assert collect().blobs == {}
    (payload,) = collect(with_patch=True).blobs.values()
    assert b"+rate = 0.5" in payload
    assert b"hunter2" not in payload
    assert str(project).encode() not in payload


def test_an_unknown_commit_is_told_with_its_reason(project, monkeypatch):
    monkeypatch.setattr("seedbed.loop.provenance._git._facts", lambda *_: GitFacts(unknown="because"))
    (project / ".git").mkdir()
    code = told(collect())["code"]
    assert (code["commit"], code["uncommitted"], code["unknown"]) == (None, None, "because")
