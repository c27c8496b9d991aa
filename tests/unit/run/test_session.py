"""How a run ends, in its record; who else is kept away; what each stage leaves there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from toolkit.cluster import Cluster
from toolkit.content import refused_by_system
from toolkit.errors import EXIT_FAILED, EXIT_REFUSED, ToolkitError
from toolkit.run.record import recorded
from toolkit.run.session import Options, Session, session
from toolkit.run.stages import Stage, Step

OPTIONS = Options("toolkit provision", quiet=True)
READ = Step("read", "reading", "read")
APPLY = Step("apply", "changing", "changed")


def raises(error: BaseException) -> Callable[[], bool]:
    def work() -> bool:
        raise error

    return work


def result(cluster: Cluster) -> str:
    return str(recorded(cluster.directory)[0]["result"])


def test_an_unexpected_error_after_hosts_were_changed_is_no_refusal(cluster: Cluster) -> None:
    stages = [
        Stage(READ, lambda: True),
        Stage(APPLY, raises(RuntimeError("no disk")), changes=True),
    ]
    with pytest.raises(RuntimeError), session(cluster.directory, "provision", OPTIONS) as work:
        work.carry_out(stages)
    assert result(cluster) == "failed"


@pytest.mark.parametrize("error", [RuntimeError("broken"), ToolkitError("wrong input")])
def test_an_error_before_any_change_is_a_refusal(cluster: Cluster, error: Exception) -> None:
    with pytest.raises(type(error)), session(cluster.directory, "provision", OPTIONS) as work:
        work.carry_out([Stage(READ, raises(error)), Stage(APPLY, lambda: True, changes=True)])
    assert result(cluster) == "refused"


@pytest.mark.parametrize("changes", [True, False])
@pytest.mark.parametrize(
    "make", [lambda: ToolkitError("no answer"), lambda: OSError(28, "No space left on device")]
)
def test_the_exit_status_says_whether_something_was_changed(
    cluster: Cluster, make: Callable[[], Exception], changes: bool
) -> None:
    error = make()
    with pytest.raises(type(error)), session(cluster.directory, "provision", OPTIONS) as work:
        work.carry_out([Stage(APPLY, raises(error), changes=changes)])
    told = refused_by_system(error) if isinstance(error, OSError) else error
    assert isinstance(told, ToolkitError)
    assert told.exit_code == (EXIT_FAILED if changes else EXIT_REFUSED)
    assert result(cluster) == ("failed" if changes else "refused")


def test_a_record_that_cannot_be_completed_is_no_failure(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with session(cluster.directory, "provision", Options("toolkit provision")) as work:
        for path in work.record.directory.iterdir():
            path.unlink()
        work.record.directory.rmdir()
        work.record.directory.touch()  # a file in its place, as root may write anywhere
        work.exit_code = 0
    assert "the record of this run is not complete" in capsys.readouterr().err


def test_an_interrupt_is_one_whatever_was_changed(cluster: Cluster) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        session(cluster.directory, "provision", OPTIONS) as work,
    ):
        work.carry_out([Stage(APPLY, raises(KeyboardInterrupt()), changes=True)])
    assert result(cluster) == "interrupted"


def test_stages_end_where_one_does_not_go_on(cluster: Cluster) -> None:
    done: list[str] = []

    def work_of(name: str, goes_on: bool) -> Callable[[], bool]:
        return lambda: done.append(name) is None and goes_on

    with session(cluster.directory, "provision", OPTIONS) as work:
        assert not work.carry_out(
            [Stage(READ, work_of("read", True)), Stage(APPLY, work_of("apply", False)),
             Stage(Step("prove", "", ""), work_of("prove", True))]
        )  # fmt: skip
        work.exit_code = EXIT_REFUSED
    assert done == ["read", "apply"]
    assert result(cluster) == "refused"
    assert list(recorded(cluster.directory)[0]["stages"]) == ["read", "apply"]


def test_a_dry_run_says_what_it_leaves_out_and_changes_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options("toolkit provision --check", dry=True)
    left_out = Stage(APPLY, raises(AssertionError("done all the same")), dry="run the canary DAG")
    with session(cluster.directory, "provision", options) as work:
        assert work.carry_out([Stage(READ, lambda: True, changes=True), left_out])
        assert not work.changed
        work.exit_code = 0
    assert "would run the canary DAG" in capsys.readouterr().err


def test_work_that_goes_on_to_further_steps_has_each_in_the_record(cluster: Cluster) -> None:
    def apply(work: Session) -> Callable[[], bool]:
        def playbook() -> bool:
            work.step(APPLY)  # once more: it is one step still
            work.step(Step("migrate", "migrating", "migrated"))
            return True

        return playbook

    with session(cluster.directory, "provision", OPTIONS) as work:
        work.carry_out([Stage(APPLY, apply(work))])
        work.exit_code = 0
    assert list(recorded(cluster.directory)[0]["stages"]) == ["apply", "migrate"]


def test_the_second_run_on_a_cluster_is_told_who_has_the_lock(cluster: Cluster) -> None:
    with (
        session(cluster.directory, "provision", OPTIONS),
        pytest.raises(ToolkitError, match=r"process \d+, `toolkit provision`"),
        session(cluster.directory, "verify", Options("toolkit verify")),
    ):
        pass
    with session(cluster.directory, "verify", OPTIONS) as work:
        work.exit_code = 0
    assert result(cluster) == "succeeded"
