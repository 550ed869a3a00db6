"""Where a demonstration on the stack keeps what it makes."""

from services.demo.stack_servers import run_root


def test_two_run_folders_of_one_name_do_not_share_a_folder_in_the_object_store(tmp_path):
    first, second = run_root(tmp_path / "a" / "runs"), run_root(tmp_path / "b" / "runs")
    assert first.startswith("s3://eartheye/runs-")
    assert first != second
    assert run_root(tmp_path / "b" / ".." / "a" / "runs") == first
