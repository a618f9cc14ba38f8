"""A script ends as the command line does."""

import pytest

from seedbed.errors import ContractBroken, InvalidInput, StoreUnavailable, exit_codes


@pytest.mark.parametrize(("error", "code"), [(InvalidInput, 2), (ContractBroken, 4), (StoreUnavailable, 70)])
def test_an_expected_error_is_one_line_and_its_own_code(error, code, capsys):
    with pytest.raises(SystemExit) as end, exit_codes():
        raise error("the sky fell; carry an umbrella")
    assert end.value.code == code
    assert capsys.readouterr().err == "error: the sky fell; carry an umbrella\n"


def test_an_unexpected_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), exit_codes():
        raise ZeroDivisionError


def test_without_an_error_the_script_goes_on():
    with exit_codes():
        pass
