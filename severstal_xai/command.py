"""What all commands share: settings from one schema for file and flags, exit status, one line for an error.

A room's settings are a frozen dataclass. Their defaults are the values in the room's YAML under `configs/`,
`--config FILE` replaces that file, and a flag overrides either.
"""

import argparse
import dataclasses
import errno
import inspect
import json
import os
import sys
import types
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from severstal_xai.errors import InputError
from severstal_xai.usage import OneLineParser

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
DONE, WRONG_INPUT, INTERRUPTED = 0, 1, 130
"""Exit statuses; that of wrong usage, 2, is the parser's."""
_NOT_OURS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}
"""What the system refuses for the disk's sake or the user's: full, forbidden, or a path that cannot be."""

Settings = TypeVar("Settings")


def parse_settings(
    schema: type[Settings],
    *,
    command: str,
    description: str,
    defaults: Path | None = None,
    arguments: Sequence[str] | None = None,
) -> Settings:
    """Parse a command's settings; wrong usage ends the process with status 2 and names the flag or key.

    Args:
        schema: The dataclass of settings.
        command: As the user calls it: `python -m data_prep`.
        description: What `--help` says first.
        defaults: The YAML that holds the defaults; None where the dataclass has them all.
        arguments: The flags; those of the process by default.
    """
    arguments = _join_lists(schema, sys.argv[1:] if arguments is None else arguments)
    chosen = _config_among(arguments)
    parser = OneLineParser(
        prog=command,
        description=description,
        default_config_files=[str(chosen)] if chosen else [],
        allow_abbrev=False,  # `--conf` would go unread: `--config` is looked up by its whole name
    )
    parser.add_argument(
        "--config", type=str, metavar="FILE", help="a YAML file of settings, in place of the defaults below"
    )
    known = {} if chosen or not defaults else yaml.safe_load(defaults.read_text(encoding="utf-8"))
    parser.add_class_arguments(schema, default=known)
    for action in parser._actions:  # the parser's help would call required what has a default in the file
        action.required = action.required and action.default is None
    wrong = _what_is_wrong_with(chosen, list(inspect.signature(schema).parameters)) if chosen else ""
    if wrong:
        parser.error(f"--config {chosen}: {wrong}")
    if empty := _first_empty_path(schema, arguments):
        parser.error(f"--{empty} '': empty, expected a path")
    groups = [name for name, hint in get_type_hints(schema).items() if dataclasses.is_dataclass(hint)]
    flat = _first_that_is_no_group(chosen, groups) if chosen else ""
    if flat:
        parser.error(f"--config {chosen}: {flat}, expected settings of its own, one a line")
    parsed = parser.parse_args(list(arguments))
    try:
        values = parser.instantiate(parsed)
    except InputError as error:
        raise _of_its_group(schema, error) from error
    return schema(**{name: values[name] for name in inspect.signature(schema).parameters})


def _of_its_group(schema: type, error: InputError) -> InputError:
    """Return the error with the name of the group of settings that it is from: `mu` is `sise.mu` to the user."""
    hints, setting = get_type_hints(schema), str(error).partition(" ")[0]
    groups = [
        name
        for name, hint in hints.items()
        if dataclasses.is_dataclass(hint) and setting in {field.name for field in dataclasses.fields(hint)}
    ]
    if setting in hints or len(groups) != 1:
        return error
    return InputError(f"{groups[0]}.{error}")


def run(main: Callable[[], int]) -> None:
    """Run a command and end the process with its status.

    Wrong input is one line on stderr and status 1, as is a full disk or a forbidden file; any other exception
    is a bug and keeps its traceback.
    """
    try:
        status = main()
    except InputError as error:
        status = fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; what was saved before is kept")
        status = INTERRUPTED
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = INTERRUPTED
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        status = fail(f"{error.filename or 'a file'}: {error.strerror}; what was saved before is kept")
    sys.exit(status)


def fail(message: str) -> int:
    """Print one line on stderr, whatever the message holds, and return the status for wrong input."""
    sys.stderr.write(" ".join(message.split()) + "\n")
    return WRONG_INPUT


def to_yaml(settings: Any) -> str:
    """Write settings as YAML that `--config` reads again; paths with forward slashes on every system.

    Example:
        >>> print(to_yaml(types.SimpleNamespace(source=Path("strips"), limits={3: 500})), end="")
        source: strips
        limits:
          3: 500
    """
    return yaml.safe_dump(to_plain(settings), sort_keys=False)


def to_plain(value: Any) -> Any:
    """Return settings as dictionaries, lists and plain values; paths with forward slashes."""
    if dataclasses.is_dataclass(value) or isinstance(value, types.SimpleNamespace):
        return {name: to_plain(part) for name, part in vars(value).items()}
    if isinstance(value, dict):
        return {key: to_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    return value.as_posix() if isinstance(value, Path) else value


def _what_is_wrong_with(config: Path, known: Sequence[str]) -> str:
    """Say why a file cannot be read as settings; nothing where it can."""
    if not config.is_file():
        return "a folder, expected a YAML file" if config.is_dir() else "no such file"
    try:
        content = _EachKeyOnce(config.read_text(encoding="utf-8")).get_single_data()
    except InputError as error:
        return str(error)
    except UnicodeDecodeError:
        return "not UTF-8 text, expected a YAML file"
    except yaml.YAMLError as error:
        return f"not YAML ({' '.join(str(error).split())}), expected lines such as 'seed: 0'"
    if not isinstance(content, dict):
        kind = "nothing" if content is None else f"a {type(content).__name__}"
        return f"holds {kind}, expected lines such as 'seed: 0'"
    unknown = [str(key) for key in content if key not in known]
    return f"unknown setting {unknown[0]!r}, expected one of {', '.join(known)}" if unknown else ""


def _first_that_is_no_group(config: Path, groups: Sequence[str]) -> str:
    """Return the first group of settings in a file that is a plain value; nothing where there is none."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    return next((name for name in groups if name in content and not isinstance(content[name], dict)), "")


class _EachKeyOnce(yaml.SafeLoader):
    """Reads YAML and refuses a key that stands twice on one level, of which YAML's reader takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise InputError(
                        f"{key.value} in line {key.start_mark.line + 1} is there twice, expected once"
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _join_lists(schema: type, arguments: Sequence[str]) -> list[str]:
    """Let a flag of a list take all words up to the next flag: `--images a.jpg b.jpg`."""
    lists = {f"--{name}" for name, hint in get_type_hints(schema).items() if get_origin(hint) is list}
    joined: list[str] = []
    taking: list[str] | None = None
    for word in arguments:
        if word.startswith("--") or taking is None:
            taking = [] if word in lists else None
            joined.append(word)
        else:
            taking.append(word)
            joined[-1] = f"{joined[-1].partition('=')[0]}={json.dumps(taking)}"
    return joined


def _first_empty_path(schema: type, arguments: Sequence[str]) -> str:
    """Return the first flag of a path after which nothing stands, as where a shell's variable is empty; else nothing.

    The parser would take it for the folder that the command is called in, or for the default.
    """
    paths = {name for name, hint in get_type_hints(schema).items() if Path in {hint, *get_args(hint)}}
    followed = pairwise([*arguments, None])
    return next(
        (
            name
            for word, after in followed
            for name in paths
            if word == f"--{name}=" or (word == f"--{name}" and after == "")
        ),
        "",
    )


def _config_among(arguments: Sequence[str]) -> Path | None:
    """Return what `--config` names; it is looked up first, since it takes the place of the defaults."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path, nargs="?")  # nothing after it: the parser itself says so
    found: Path | None = finder.parse_known_args(arguments)[0].config
    return found
