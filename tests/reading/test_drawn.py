import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trabecula.errors import InvalidInput, NotWritten
from trabecula.reading.drawn import (
    Drawing,
    Stroke,
    append_step,
    drawing_saved,
    drawn_after,
    file_name,
    mask_path,
    reader_named,
    readers_of,
    region_of,
    save_drawn,
    saved_of,
    state_of_case,
    steps_of,
)

BOX = [[9.5, 9.5], [29.5, 9.5], [29.5, 19.5], [9.5, 19.5]]  # 20 x 10 pixels
AT = "2030-01-01T00:00:00+00:00"


def shape(outline=BOX, tool="polygon", closed=True, points=()):
    return {"kind": "shape", "tool": tool, "points": list(points), "outline": outline, "closed": closed}


def stroke(path, radius=2.0, tool="brush"):
    return {"kind": "stroke", "tool": tool, "radius": radius, "path": path}


def about(steps, state="completed"):
    return {"state": state, "steps": steps, "note": "", "image": {"sha256": "0"}}


def test_a_closed_outline_encloses_its_pixels_and_an_open_one_none():
    assert region_of(drawn_after([shape()]), (40, 50)).sum() == 200
    assert region_of(drawn_after([shape(closed=False)]), (40, 50)).sum() == 0


def test_strokes_add_and_take_away_in_turn():
    steps = [shape(), stroke([[40, 30]], 3.0), stroke([[0, 14.5], [49, 14.5]], 1.0, "eraser")]
    inside = region_of(drawn_after(steps), (40, 50))
    assert inside[30, 40]
    assert not inside[14:16].any()
    assert inside[10:14, 10:30].all()


@given(st.floats(0.6, 12), st.floats(5, 45), st.floats(5, 35))
def test_a_dab_is_every_pixel_within_its_radius(radius, x, y):
    inside = region_of(Drawing(strokes=(Stroke(radius, ((x, y),), adds=True),)), (40, 50))
    rows, columns = np.mgrid[:40, :50]
    assert (inside == ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)).all()


def test_a_stroke_beyond_the_film_is_cut_off():
    steps = [stroke([[-30, 5], [5, 5]], 4.0), stroke([[48, 38], [500, 900]], 4.0), stroke([[-99, -99]], 9.0)]
    inside = region_of(drawn_after(steps), (40, 50))
    assert inside[5, 0]
    assert inside[39, 49]


def test_an_undo_goes_one_step_back_and_a_new_step_ends_what_could_be_redone():
    steps = [shape(), stroke([[40, 30]]), {"kind": "undo"}]
    assert drawn_after(steps).strokes == ()
    assert len(drawn_after([*steps, {"kind": "redo"}]).strokes) == 1
    other = [*steps, stroke([[5, 5]], tool="eraser"), {"kind": "redo"}]
    assert [one.adds for one in drawn_after(other).strokes] == [False]
    assert drawn_after([{"kind": "undo"}, {"kind": "redo"}]) == Drawing()


@pytest.mark.parametrize(("tool", "kept"), [("drag", 1), ("move", 1), ("six", 0), ("polygon", 0), ("clear", 0)])
def test_a_corrected_outline_keeps_what_was_painted_and_a_new_one_does_not(tool, kept):
    assert len(drawn_after([shape(), stroke([[40, 30]]), shape(tool=tool)]).strokes) == kept


def test_steps_come_back_as_they_were_written(tmp_path):
    steps = [shape(), stroke([[40, 30]]), {"kind": "undo"}]
    for number, step in enumerate(steps):
        assert len(append_step(tmp_path, "R1", "c1", number, step, AT)) == number + 1
    assert steps_of(tmp_path, "R1", "c1") == steps
    assert steps_of(tmp_path, "R2", "c1") == []


def test_a_step_sent_twice_is_written_once(tmp_path):
    assert append_step(tmp_path, "R1", "c1", 0, shape(), AT) == [shape()]
    assert append_step(tmp_path, "R1", "c1", 0, shape(), AT) == [shape()]
    assert steps_of(tmp_path, "R1", "c1") == [shape()]


def test_a_step_from_a_window_that_missed_another_is_refused(tmp_path):
    append_step(tmp_path, "R1", "c1", 0, shape(), AT)
    with pytest.raises(InvalidInput, match=r"1 steps on disk, 0 in this window.*open it again"):
        append_step(tmp_path, "R1", "c1", 0, stroke([[1, 1]]), AT)


def test_a_line_cut_by_a_crash_costs_itself_alone(tmp_path):
    append_step(tmp_path, "R1", "c1", 0, shape(), AT)
    journal = tmp_path / "rois/R1/c1.steps.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"at":"x","step":{"kind":"str')
    assert steps_of(tmp_path, "R1", "c1") == [shape()]
    append_step(tmp_path, "R1", "c1", 1, stroke([[40, 30]]), AT)
    assert steps_of(tmp_path, "R1", "c1") == [shape(), stroke([[40, 30]])]


def test_a_step_on_a_full_disk_is_refused_in_words_and_taken_once_when_there_is_room(tmp_path, monkeypatch):
    append_step(tmp_path, "R1", "c1", 0, shape(), AT)
    with monkeypatch.context() as full:
        full.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(NotWritten, match=r"The disk is full: .*c1.steps.jsonl cannot be written"):
            append_step(tmp_path, "R1", "c1", 1, stroke([[40, 30]]), AT)
    assert len(append_step(tmp_path, "R1", "c1", 1, stroke([[40, 30]]), AT)) == 2
    assert steps_of(tmp_path, "R1", "c1") == [shape(), stroke([[40, 30]])]


WRITER = """
import sys
from pathlib import Path
from trabecula.reading.drawn import append_step
for n in range(100000):
    step = {"kind": "stroke", "tool": "brush", "radius": 1.0, "path": [[float(n), 0.0]] * 300}
    append_step(Path(sys.argv[1]), "R1", "c1", n, step, "now")
    print(n, flush=True)
"""


def test_whatever_was_answered_for_is_there_after_a_kill(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        while int(writer.stdout.readline()) < 30:
            pass
        time.sleep(0.013)
        writer.send_signal(signal.SIGKILL)
        answered = [int(line) for line in writer.stdout.read().split()] or [30]
    steps = steps_of(tmp_path, "R1", "c1")
    assert len(steps) >= answered[-1] + 1
    assert [step["path"][0][0] for step in steps] == list(range(len(steps)))
    assert append_step(tmp_path, "R1", "c1", len(steps), shape(), AT) == [*steps, shape()]


def test_a_saved_case_has_its_mask_and_comes_back(tmp_path):
    drawing = drawn_after([shape(), stroke([[40, 30]], 3.0)])
    path = save_drawn(tmp_path, "R1", "c1", drawing, (40, 50), about(2))
    assert path == tmp_path / "masks/R1/c1.png"
    mask = np.asarray(Image.open(path))
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0) == region_of(drawing, (40, 50))).all()
    content = saved_of(tmp_path, "R1", "c1")
    assert drawing_saved(content) == drawing
    assert (content["reader"], content["case_id"], content["state"]) == ("R1", "c1", "completed")


def test_a_case_is_in_progress_from_its_first_step_and_again_after_a_later_one(tmp_path):
    assert state_of_case(tmp_path, "R1", "c1") == "not started"
    append_step(tmp_path, "R1", "c1", 0, shape(), AT)
    assert state_of_case(tmp_path, "R1", "c1") == "in progress"
    save_drawn(tmp_path, "R1", "c1", drawn_after([shape()]), (40, 50), about(1))
    assert state_of_case(tmp_path, "R1", "c1") == "completed"
    append_step(tmp_path, "R1", "c1", 1, {"kind": "undo"}, AT)
    assert state_of_case(tmp_path, "R1", "c1") == "in progress"


def test_the_state_of_a_case_is_not_read_again_while_its_files_are_the_same(tmp_path, monkeypatch):
    for number in range(3):
        append_step(tmp_path, "R1", "c1", number, shape(), AT)
    assert state_of_case(tmp_path, "R1", "c1") == "in progress"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", None)
        assert state_of_case(tmp_path, "R1", "c1") == "in progress"
        assert state_of_case(tmp_path, "R1", "another") == "not started"
    save_drawn(tmp_path, "R1", "c1", drawn_after([shape()]), (40, 50), about(3))
    assert state_of_case(tmp_path, "R1", "c1") == "completed"


def test_a_case_without_a_region_can_be_flagged_and_not_completed(tmp_path):
    with pytest.raises(InvalidInput, match=r"case c1: 0 pixels inside; expected at least 25. Draw the vertebra"):
        save_drawn(tmp_path, "R1", "c1", Drawing(), (40, 50), about(0))
    assert save_drawn(tmp_path, "R1", "c1", Drawing(), (40, 50), about(0, "flagged")) is None
    assert state_of_case(tmp_path, "R1", "c1") == "flagged"
    assert not mask_path(tmp_path, "R1", "c1").exists()


def test_a_damaged_json_is_refused_in_words(tmp_path):
    save_drawn(tmp_path, "R1", "c1", Drawing(), (40, 50), about(0, "flagged"))
    (tmp_path / "rois/R1/c1.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"rois/R1/c1.json: cannot be read .*The steps beside it are whole"):
        saved_of(tmp_path, "R1", "c1")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "../R1", "-x", "_x", "a b", "a" * 33, "R1\n", "C:", "a.b"]
)
def test_a_reader_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(InvalidInput, match=r"reader: .*expected a letter or figure"):
        reader_named(name)


@pytest.mark.parametrize("name", ["R1", "reader-2", "王医生", "2", "a_b"])
def test_a_readers_name_may_be_of_any_script(name):
    assert reader_named(name) == name


@given(st.text(min_size=1, max_size=12))
def test_a_cases_file_lies_in_its_folder_and_is_its_own(case_id):
    name = file_name(case_id)
    assert not set(name) & set('/\\:*?"<>|\0\n\r')
    assert name[0] != "."
    assert file_name(case_id + "x") != name


@pytest.mark.parametrize(
    ("case_id", "expected"),
    [("P1_L3", "P1_L3"), ("a/b", "a%2Fb"), ("..", "%2E."), ("病例3", "病例3"), ("x 1.2", "x 1.2")],
)
def test_a_cases_name_stays_readable_where_it_can(case_id, expected):
    assert file_name(case_id) == expected


def test_a_name_too_long_for_a_file_is_refused():
    with pytest.raises(InvalidInput, match="Give the case a shorter name"):
        file_name("x" * 151)


def test_the_consensus_is_nobody_who_reads(tmp_path):
    for reader in ("R2", "R1", "consensus"):
        append_step(tmp_path, reader, "c1", 0, shape(), AT)
    (tmp_path / "rois/.hidden").mkdir()
    assert readers_of(tmp_path) == ("R1", "R2")


def test_every_line_of_a_journal_says_when(tmp_path):
    append_step(tmp_path, "R1", "c1", 0, shape(), AT)
    assert json.loads((tmp_path / "rois/R1/c1.steps.jsonl").read_text())["at"] == AT
