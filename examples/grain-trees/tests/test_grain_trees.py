from hmcbench.testing import checks


def test_it_keeps_what_a_model_promises():
    assert checks.failures(checks.check("models", "grain-trees", trees=10)) == []
