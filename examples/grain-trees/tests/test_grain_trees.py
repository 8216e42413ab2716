from hmcbench.testing import checks


def test_the_conformance_checks():
    assert checks.failures(checks.check("models", "grain-trees", trees=10)) == []
