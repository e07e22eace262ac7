import copy

from trabecula.errors import Fault, InvalidInput


def test_a_fault_reads_as_a_sentence():
    fault = Fault("case P017", "the mask is empty", "at least one pixel that is not 0", "Draw it again.")
    assert str(fault) == "case P017: the mask is empty; expected at least one pixel that is not 0. Draw it again."


def test_an_error_survives_the_way_back_from_another_process():
    error = InvalidInput([Fault("a", "b", "c"), Fault("d", "e", "f")])
    assert copy.copy(error).faults == error.faults
