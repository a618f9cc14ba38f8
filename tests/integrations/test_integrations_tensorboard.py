import math

import numpy as np
import pytest
from integrations_world import DESCRIBED, commit_of, imported, steps_of

from seedbed.errors import NotFound
from seedbed.integrations import ImportDescription, ImportOutcome, TensorBoard
from seedbed.records import Store

pytest.importorskip("tensorboard")


def write(folder, scalars, *, suffix="", params=None, texts=()):
    """Write one event file as PyTorch's users do; scalars are name, value and step."""
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    with SummaryWriter(str(folder), filename_suffix=suffix) as writer:
        for name, value, step in scalars:
            writer.add_scalar(name, value, step, walltime=1_760_000_000 + step)
        if params:
            for summary in hparams(params, {}):
                writer.file_writer.add_summary(summary)
        for name, text in texts:
            writer.add_text(name, text)
    [path] = folder.glob(f"*{suffix}")
    return path


def with_new_style(folder, values):
    """Write scalars as TensorFlow 2 does: tensors, whose plugin is named at a tag's first value only."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(folder))
    for step, value in enumerate(values):
        metadata = SummaryMetadata()
        if step == 0:
            metadata.plugin_data.plugin_name = "scalars"
        item = Summary.Value(tag="loss", tensor=make_tensor_proto(value), metadata=metadata)
        writer.add_event(Event(wall_time=1.0 + step, step=step, summary=Summary(value=[item])))
    writer.close()


@pytest.mark.slow
def test_each_folder_with_event_files_becomes_a_commit(tmp_path):
    logs = tmp_path / "logs"
    write(logs / "lr0.1" / "seed1", [("loss", 0.5, 1), ("loss", 0.25, 2), ("ap", 0.75, 2)])
    write(logs / "base", [("loss", 0.5, 1)])
    done = imported(TensorBoard(logs), tmp_path / "store")
    assert [(item.source_id, item.outcome) for item in done] == [
        ("base", ImportOutcome.IMPORTED),
        ("lr0.1/seed1", ImportOutcome.IMPORTED),
    ]
    assert done[0].run_id == "tensorboard-base"
    snapshot = commit_of(tmp_path / "store", 2).snapshot
    assert snapshot.metrics == {"loss": 0.25, "ap": 0.75}
    assert snapshot.inputs["source"]["run_id"] == "lr0.1/seed1"
    assert "torn_bytes" not in snapshot.process
    assert steps_of(tmp_path / "store", 2) == [(1, {"loss": "0.5"}), (2, {"ap": "0.75", "loss": "0.25"})]
    written = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert str(tmp_path).encode() not in written


def test_a_log_folder_that_is_itself_a_run_is_named_by_its_own_name(tmp_path):
    write(tmp_path / "only", [("loss", 0.5, 1)])
    assert TensorBoard(tmp_path / "only").ids() == ["only"]


def test_hyperparameters_are_settings_and_texts_are_tags(tmp_path):
    write(
        tmp_path / "logs" / "a",
        [("loss", 0.5, 1)],
        params={"lr": 0.125, "name": "adam", "amp": True},
        texts=[("note", "a long night")],
    )
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store")
    snapshot = commit_of(tmp_path / "store").snapshot
    assert snapshot.config == {"lr": 0.125, "name": "adam", "amp": True}
    assert snapshot.documents["tags"] == {"note/text_summary": "a long night"}


def test_what_is_no_number_stays_one_in_the_steps(tmp_path):
    write(tmp_path / "logs" / "a", [("loss", math.nan, 1), ("loss", math.inf, 2), ("loss", -math.inf, 3)])
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store")
    assert [values["loss"] for _, values in steps_of(tmp_path / "store")] == ["nan", "inf", "-inf"]
    assert commit_of(tmp_path / "store").snapshot.metrics == {"loss": "-Infinity"}


def test_scalars_of_tensorflows_second_form_are_read(tmp_path):
    with_new_style(tmp_path / "logs" / "a", [0.5, 0.25, 0.125])
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store")
    assert [values for _, values in steps_of(tmp_path / "store")] == [{"loss": t} for t in ("0.5", "0.25", "0.125")]


def test_a_run_that_was_started_again_keeps_both_values_of_a_step_the_later_last(tmp_path):
    first = write(tmp_path / "logs" / "a", [("loss", 4.0, 1), ("loss", 3.0, 2)], suffix=".1")
    second = write(tmp_path / "logs" / "a", [("loss", 2.0, 2), ("loss", 1.0, 3)], suffix=".2")
    first.rename(first.with_name("events.out.tfevents.1"))  # within a second, the names that writers give tell no order
    second.rename(second.with_name("events.out.tfevents.2"))
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store")
    assert [(step, values["loss"]) for step, values in steps_of(tmp_path / "store")] == [
        (1, "4.0"),
        (2, "3.0"),
        (2, "2.0"),
        (3, "1.0"),
    ]


def test_what_is_no_scalar_is_counted_and_left(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "logs" / "a")) as writer:
        writer.add_histogram("weights", np.array([1.0, 2.0]), 1)
        writer.add_scalar("loss", 0.5, 1)
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store")
    assert commit_of(tmp_path / "store").snapshot.process["left_out"] == {"histograms": 1}


def test_a_file_cut_anywhere_in_its_last_record_is_read_up_to_there(tmp_path):
    path = write(tmp_path / "logs" / "a", [("loss", 0.5, 1), ("loss", 0.25, 2)])
    whole = path.read_bytes()
    steps = TensorBoard(tmp_path / "logs").read("a").steps
    last = len(whole) - len(write(tmp_path / "one", [("loss", 0.5, 1)]).read_bytes())
    for cut in range(1, last):
        path.write_bytes(whole[:-cut])
        run = TensorBoard(tmp_path / "logs").read("a")
        assert list(run.steps) == list(steps[:1])
        assert run.notes == {"torn_bytes": last - cut}
    path.write_bytes(whole[:-last])
    assert TensorBoard(tmp_path / "logs").read("a").notes == {}


@pytest.mark.slow
def test_a_byte_flipped_anywhere_refuses_the_run_and_not_the_others(tmp_path):
    path = write(tmp_path / "logs" / "a", [("loss", 0.5, 1), ("loss", 0.25, 2)])
    write(tmp_path / "logs" / "b", [("loss", 0.5, 1)])
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        done = imported(TensorBoard(tmp_path / "logs"), tmp_path / "store", dry=True)
        assert [item.outcome for item in done] == [ImportOutcome.REFUSED, ImportOutcome.IMPORTED], place
        assert "is damaged at byte" in done[0].reason
        assert str(tmp_path) not in done[0].reason


def test_a_folder_without_event_files_is_refused(tmp_path):
    with pytest.raises(NotFound, match="there is no event file of TensorBoard in"):
        TensorBoard(tmp_path)


def test_runs_whose_data_nobody_named_are_comparable_with_none(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "logs" / name, [("loss", 0.5, 1)])
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store")
    second = commit_of(tmp_path / "store", 2).snapshot
    assert second.diff_prev.comparable is None
    assert second.fingerprint_sources["data"] == "not known; stands for this run alone"


def test_runs_whose_data_was_named_are_comparable(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "logs" / name, [("loss", 0.5, 1)], params={"lr": 0.5})
    named = ImportDescription(DESCRIBED.project, "delay", "y2013", view="all", model_family="mlp", data="flights")
    imported(TensorBoard(tmp_path / "logs"), tmp_path / "store", named)
    second = commit_of(tmp_path / "store", 2).snapshot
    assert (second.diff_prev.prev_run_id, second.diff_prev.comparable) == ("tensorboard-a", True)
    assert (second.view, second.metadata["model_family"]) == ("all", "mlp")
    assert Store.open(tmp_path / "store").log(DESCRIBED.project).head() == 2
