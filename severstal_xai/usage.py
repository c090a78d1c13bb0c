"""Wrong usage, said in one line of plain words: the parser's own words are of Python's types, and many lines."""

import re
from argparse import HelpFormatter
from typing import NoReturn

from jsonargparse import ArgumentParser

WRONG_USAGE = 2
"""The exit status."""
_GIVEN = "GIVEN"
"""Stands in the words on a kind for what was given."""
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "Path": "a path",
    "list": "a list, such as [1, 2]",
    "tuple": f"a list, such as [{_GIVEN}]",
    "dict": "values by name, such as {1: 2}",
    "NoneType": "null",
}
_KIND = re.compile(r"Expected an? <class '([\w.]+)'>|Not of type (\w+)|Expected an? typing\.Literal\[(.*?)\]")
_KEY = re.compile(r'Parser key "([^"]+)":')
_VALUE = re.compile(r".*(?:Got|Given) value: (.*)")
_TYPE = re.compile(r"type:\s+<class '(\w+)'>")
_FORMS = (
    (r"unrecognized arguments: (.*)", r"\1: not known, expected what --help shows"),
    (r"argument ([^/\s]+)\S*: expected one argument", r"\1: nothing follows, expected a value"),
    (
        r"the following arguments are required: (.*)",
        r"\1: missing, expected a value in the file or as a flag",
    ),
    (r"Group '(.*)' does not accept option '(.*)'", r"\1.\2: not known, expected what --help shows"),
    (r"(.*)invalid literal for int\(\) with base 10: '(.*)'", r"\1\2, expected a whole number"),
)


class OneLineParser(ArgumentParser):
    """A parser that says in one line what is wrong, and ends the process."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the line on stderr and exit with status 2."""
        if not self.exit_on_error:  # it tries a reading, and takes another where this one fails
            super().error(message, ex)
        self.exit(WRONG_USAGE, f"{self.prog}: error: {in_plain_words(message)}\n")

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        """Return the help, without Python's spelling of a type."""
        return _TYPE.sub(r"type: \1", super().format_help(formatter))


def in_plain_words(message: str) -> str:
    r"""Say what the parser says, in one line and without names of Python's types; what it cannot translate stays.

    Example:
        >>> in_plain_words('Parser key "epochs":\n  Expected a <class \'int\'>. Got value: abc')
        'epochs abc, expected a whole number'
        >>> in_plain_words('Parser key "mus":\n  Expected a <class \'tuple\'>. Got value: 0.3')
        'mus 0.3, expected a list, such as [0.3]'
        >>> in_plain_words("unrecognized arguments: --foo 1")
        '--foo 1: not known, expected what --help shows'
    """
    line = " ".join(message.split())
    keys, value = _KEY.findall(line), _VALUE.fullmatch(line)
    kinds = list(dict.fromkeys(_kind(*found) for found in _KIND.findall(line)))
    if keys and kinds and value:
        given = "null" if value[1] == "None" else value[1]
        expected = " or ".join(kinds).replace(_GIVEN, "" if value[1] == "None" else given)
        return f"{keys[-1]} {given}, expected {expected}"
    line = _KEY.sub(r"\1:", line)
    for form, words in _FORMS:
        line = re.sub(f"^{form}$", words, line)
    return line


def _kind(type_name: str, other_type: str, choices: str) -> str:
    names = [name.strip("'\"") for name in choices.split(", ")]
    if len(names) > 1:
        return f"one of {', '.join(names)}"
    found = type_name or other_type or names[0]
    return _KINDS.get(found, found)
