"""The list of settings: what a person reads, and what another program reads from a file."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from settings_rig import Loop, Net, Scale, Set, live, nothing_is_hidden  # noqa: F401
from torch import nn
from torch.optim import AdamW, lr_scheduler

from seedbed.contracts import SettingView
from seedbed.loop.settings import Settings, SettingsView


def by_key(view: SettingsView) -> dict[str, SettingView]:
    return {each.key: each for each in view.settings}


def test_it_shows_value_bounds_and_pace_of_each_setting() -> None:
    rig = Loop()
    rate = by_key(rig.settings.view(0))["optimizer.lr"]
    assert rate == SettingView(
        key="optimizer.lr", short="lr", value=1e-3, low=0.0, high=1e-2, most_up=10, most_down=100, movable_at=0
    )
    assert by_key(rig.settings.view(0))["model.freeze.head"].short == "freeze.head"


def test_it_shows_from_which_step_on_a_setting_may_move_again() -> None:
    rig = Loop(settings={"lr": {"cooldown_steps": 5}})
    rig.step(2)
    rig.propose("lr", Scale(0.5))
    rig.step()
    view = rig.settings.view(rig.num_steps)
    assert (by_key(view)["optimizer.lr"].value, by_key(view)["optimizer.lr"].movable_at) == (5e-4, 7)
    assert by_key(view)["model.dropout"].movable_at == 3
    assert "from step 7" in str(view)
    rig.step(4)
    assert rig.propose("lr", Scale(0.5))[0].phase == "applied", "it is true"


def test_it_shows_groups_together_and_each_and_what_cannot_be_changed() -> None:
    net = Net()
    groups = [{"params": part.parameters(), "name": name} for name, part in net.named_children() if name != "drop"]
    optimizer = AdamW(groups, lr=1e-3)
    view = Loop(optimizer, lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=10)).settings.view(0)
    found = by_key(view)
    assert found["optimizer.lr"].members == ("optimizer.lr.encoder", "optimizer.lr.head")
    assert "OneCycleLR overwrites beta1" in found["optimizer.beta1"].why_not
    assert (found["optimizer.beta1"].movable_at, found["optimizer.beta1"].value) == (None, None)


def test_a_program_reads_it_back_from_json() -> None:
    view = Loop().settings.view(0)
    assert SettingsView.model_validate_json(view.model_dump_json()) == view
    assert json.loads(view.model_dump_json())["settings"][0]["key"] == "optimizer.lr"


def test_a_value_that_is_no_finite_number_is_shown_as_none() -> None:
    optimizer = AdamW([nn.Parameter(torch.ones(1))])
    rig = Loop(optimizer)
    optimizer.param_groups[0]["weight_decay"] = float("nan")
    view = rig.settings.view(0)
    assert by_key(view)["optimizer.weight_decay"].value is None
    assert view.state == "", "such values have no hash"


def test_the_table_is_for_people() -> None:
    view = SettingsView(
        step=3,
        state="",
        settings=(
            SettingView(key="optimizer.lr", short="lr", value=1e-3, low=0, high=0.01, movable_at=3, members=("a", "b")),
            SettingView(key="optimizer.eps", why_not="it is no number"),
        ),
    )
    assert str(view).splitlines() == [
        "setting        short  value  low  high  unit  may move",
        "optimizer.lr   lr     0.001    0  0.01  1     now, all of a, b",
        "optimizer.eps                           1     no: it is no number",
        "after step 3",
    ]
    page = view._repr_html_()
    for shown in ("<code>optimizer.lr</code>", "<code>lr</code>", ">0.001<", ">0.01<", "no: it is no number", "step 3"):
        assert shown in page


def test_the_page_escapes_what_names_hold_and_every_row_has_every_cell() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    groups = [{"params": net[0].parameters(), "name": "<b>"}, {"params": net[1].parameters(), "name": "&amp"}]
    view = Settings(live(net, AdamW(groups))).view(0)
    root = ElementTree.fromstring(view._repr_html_())
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert {len(row) for row in rows} == {7}
    assert [row[0] for row in rows[1:]] == [each.key for each in view.settings]
    assert [row[2] for row in rows if row[0] == "optimizer.lr.<b>"] == ["0.001"]


def test_the_view_follows_a_change_of_any_kind() -> None:
    rig = Loop()
    rig.step(clip=1.0)
    rig.propose("dropout", Set(0.3))
    rig.propose("clip", Set(0.5))
    found = by_key(rig.settings.view(1))
    assert (found["model.dropout"].value, found["clip.norm"].value) == (0.3, 0.5)


@pytest.mark.slow
def test_the_list_is_read_without_torch() -> None:
    program = (
        "import sys, seedbed.loop.settings as it; str(it.SettingsView(step=0, state='', settings=())), it.SettingNames"
    )
    says = "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program + says], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
