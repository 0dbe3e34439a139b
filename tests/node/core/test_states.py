"""The state machine, over every pair."""

import itertools

import pytest

from node.core.states import LEASED, SETTLED, TRANSITIONS, State, Step, after, sources, target

ALLOWED = {
    ("queued", "claim"): "running",
    ("queued", "cancel"): "cancelled",
    ("running", "claim"): "running",
    ("running", "finish"): "done",
    ("running", "retry"): "queued",
    ("running", "release"): "queued",
    ("running", "bury"): "dead",
    ("running", "stop"): "cancelled",
    ("dead", "requeue"): "queued",
    ("dead", "cancel"): "cancelled",
    ("cancelled", "requeue"): "queued",
}


@pytest.mark.parametrize(("state", "step"), list(itertools.product(State, Step)))
def test_every_pair_leads_where_the_picture_says_or_nowhere(state: State, step: Step) -> None:
    assert after(state, step) == ALLOWED.get((state.value, step.value))


def test_a_step_leads_to_one_state_from_wherever_it_happens() -> None:
    assert {step.value: target(step).value for step in Step} == {
        "claim": "running",
        "finish": "done",
        "retry": "queued",
        "release": "queued",
        "bury": "dead",
        "requeue": "queued",
        "cancel": "cancelled",
        "stop": "cancelled",
    }


def test_done_is_final() -> None:
    assert TRANSITIONS[State.DONE] == {}


def test_every_state_is_in_the_machine_and_can_be_reached() -> None:
    reached = {target for steps in TRANSITIONS.values() for target in steps.values()}
    assert set(TRANSITIONS) == set(State)
    assert reached == set(State)


def test_only_what_runs_is_leased_and_only_what_rests_is_settled() -> None:
    assert {State.RUNNING} == LEASED
    assert {State.DONE, State.DEAD, State.CANCELLED} == SETTLED
    assert sources(Step.CANCEL) == {State.QUEUED, State.DEAD}
