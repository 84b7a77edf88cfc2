"""The whole rule space, both kernels against the definition in `rules_oracle`."""

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from rules_checks import assert_same_clusters, clusters_by_definition, find_with, grid_of_question
from rules_strategies import questions

from hep_peaksum import PeakSumSettings, find_clusters
from hep_peaksum.geometry.grid import EventError

many = runs(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


some = runs(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


@some
@given(question=questions())
def test_a_kernel_finds_what_the_definition_says(kernel, question):
    check_the_definition(kernel, question)


@pytest.mark.slow
@many
@given(question=questions())
def test_a_kernel_finds_what_the_definition_says_many_times(kernel, question):
    check_the_definition(kernel, question)


def check_the_definition(kernel, question):
    expected = clusters_by_definition(question)
    if isinstance(expected, int):
        with pytest.raises(EventError) as caught:
            find_with(kernel, question)
        assert caught.value.event == expected
    else:
        assert_same_clusters(find_with(kernel, question), expected, question)


@some
@given(question=questions())
def test_the_two_kernels_agree_in_every_bit(question):
    check_the_kernels_agree(question)


@pytest.mark.slow
@many
@given(question=questions())
def test_the_two_kernels_agree_in_every_bit_many_times(question):
    check_the_kernels_agree(question)


def check_the_kernels_agree(question):
    assume(not isinstance(clusters_by_definition(question), int))
    fast, readable = find_with("numba", question), find_with("scipy", question)

    assert fast == readable


@some
@given(question=questions(most_events=2), n_layers=st.integers(1, 3))
def test_separate_layers_are_searched_like_events(kernel, question, n_layers):
    assume(not isinstance(clusters_by_definition(question), int))
    whole = [event % len(question.grids) for event in range(n_layers * len(question.grids))]
    assume(len(whole) > 0)
    shape = (len(question.grids), n_layers, *question.grids.shape[1:])
    mask, noise = (
        given if given is None or given.ndim == 2 else given[whole].reshape(shape)
        for given in (question.mask, question.noise)
    )
    clusters = find_clusters(
        question.grids[whole].reshape(shape),
        PeakSumSettings(**question.rules, order="position", kernel=kernel),
        grid_of_question(question),
        mask=mask,
        noise=noise,
        layers="each",
        fields=["layer", *question.fields],
    ).to_list()
    alone = find_with(kernel, question)
    expected = [
        [
            {"layer": layer, **cluster}
            for layer in range(n_layers)
            for cluster in alone[whole[event * n_layers + layer]]
        ]
        for event in range(len(question.grids))
    ]

    assert clusters == expected
