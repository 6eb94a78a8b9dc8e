"""Every safeguard that can be switched off has a test that proves it, and the test exists."""

import ast
from inspect import getmembers, isfunction

from tests.architecture.source import ROOT
from tests.chaos import switches
from tests.chaos.sabotage import FAULTS
from tests.chaos.safeguards import SAFEGUARDS


def test_every_switch_is_a_safeguard_that_is_proven() -> None:
    """A switch that `make prove` does not know shows nothing to anybody."""
    functions = [one for _, one in getmembers(switches, isfunction) if one.__module__ == switches.__name__]
    declared = {one.__name__ for one in functions if not one.__name__.startswith("_")}
    assert {safeguard.switch for safeguard in SAFEGUARDS} == declared
    assert declared <= FAULTS.keys()
    assert all(safeguard.proofs for safeguard in SAFEGUARDS)


def test_the_tests_that_prove_safeguards_exist() -> None:
    """A renamed test would be missed only when somebody runs `make prove`."""
    for proof in (proof for safeguard in SAFEGUARDS for proof in safeguard.proofs):
        path, _, name = proof.test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}
        assert name.partition("[")[0] in functions, proof.test
