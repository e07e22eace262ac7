import json

import pytest

from trabecula.web.report import REPORT_CSP


@pytest.fixture
def client(tmp_path, open_app):
    for name, finished in (("2026-01-01_01", True), ("2026-01-02_01", False)):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"key": name, "created": name[:10]}))
        if finished:
            (run / "manifest.json").write_text("{}")
            (run / "report.html").write_text("<p>the report</p>")
            (run / "fits").mkdir()
            (run / "fits" / "m.skops").write_bytes(b"x")
    (tmp_path / "secret.csv").write_text("patients")
    (tmp_path / "runs" / "link.csv").symlink_to(tmp_path / "secret.csv")
    return open_app(study=tmp_path)


def test_runs_are_listed_with_the_newest_first_and_whether_they_are_finished(client):
    page = client.get("/report").text
    assert page.index("2026-01-02_01") < page.index("2026-01-01_01")
    assert "not finished" in page
    assert 'href="/report/run/2026-01-01_01"' in page
    assert 'href="/report/run/2026-01-02_01"' not in page


def test_a_report_is_shown_in_a_frame_where_nothing_runs_and_no_other_host_is_asked(client):
    assert 'src="/files/runs/2026-01-01_01/report.html"' in client.get("/report/run/2026-01-01_01").text
    shown = client.get("/files/runs/2026-01-01_01/report.html")
    assert shown.text == "<p>the report</p>"
    assert shown.headers["content-security-policy"] == REPORT_CSP
    assert "allow-scripts" not in REPORT_CSP
    assert "script-src" not in REPORT_CSP
    assert "http" not in REPORT_CSP


@pytest.mark.parametrize(
    "path",
    [
        "runs/../secret.csv",
        "runs/%2e%2e/secret.csv",
        "runs/..%2fsecret.csv",
        "runs/2026-01-01_01/..%2f..%2f..%2fsecret.csv",
        "runs/%2fetc%2fpasswd",
        "runs//etc/passwd",
        "runs/link.csv",
        "runs/2026-01-01_01/fits/m.skops",
        "runs/2026-01-01_01",
        "secret.csv",
        "cache/x.csv",
        "runs/a%00.csv",
    ],
)
def test_no_other_file_is_given(client, path):
    answer = client.get(f"/files/{path}")
    assert answer.status_code == 404
    assert "patients" not in answer.text


@pytest.mark.parametrize("name", ["2026-01-02_01", "absent", "%2e%2e"])
def test_only_a_finished_run_has_a_report(client, name):
    assert client.get(f"/report/run/{name}").status_code == 404
    answer = client.post("/report/compare", data={"first": "2026-01-01_01", "second": name})
    assert answer.status_code == 404


def test_a_run_is_not_compared_with_itself(client):
    answer = client.post("/report/compare", data={"first": "2026-01-01_01", "second": "2026-01-01_01"})
    assert answer.status_code == 422
    assert "two different runs" in answer.text


def test_without_a_run_the_screen_says_where_to_start_one(tmp_path, open_app):
    assert "No run is finished yet" in open_app(study=tmp_path / "new").get("/report").text
