"""The flags of every command, made from the table of settings: their names, their help, and what was given.

Each command has every flag: those that nothing of it reads are ignored. What a command takes beside the settings are
the keyword parameters of its function, as typer declares them.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ordergate.setting_table import SETTINGS, Setting

# The flags that were given: text by key, the settings' own and "config".
Flags = dict[str, str]


def command(app: typer.Typer, function: Callable[..., None]) -> Callable[..., None]:
    """Make ``function`` a command of ``app``, with every flag and its own options."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    names = [each.name for each in own]

    def called(**given: Any) -> None:
        # A switch that is given is turned from its default.
        turned = {setting.key: str(setting.default is not True).lower() for setting in SETTINGS}
        options = {name: given.pop(name) for name in names}
        flags = {key: turned[key] if value is True else str(value) for key, value in given.items() if value is not None}
        function(flags, **options)

    keyword = inspect.Parameter.KEYWORD_ONLY
    config = Annotated[str | None, typer.Option("--config", metavar="PATH", help="File of settings to read.")]
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # where typer looks for the flags
        [
            *own,
            *(_parameter(setting) for setting in SETTINGS if setting.flag),
            inspect.Parameter("config", keyword, default=None, annotation=config),
        ]
    )
    app.command(function.__name__.replace("_", "-"), help=function.__doc__)(called)
    return function


def _parameter(setting: Setting) -> inspect.Parameter:
    default = setting.default.value if isinstance(setting.default, enum.Enum) else setting.default
    is_switch = isinstance(default, bool)
    if is_switch:
        help_text = f"Turn {'off' if default else 'on'}: {setting.meaning}"
    else:
        help_text = setting.meaning if default in (None, ()) else f"{setting.meaning} [default: {default}]"
    option = typer.Option(setting.option, metavar=None if is_switch else setting.kind.placeholder, help=help_text)
    # Text, so that what is wrong with it is told together with every other mistake.
    annotation = Annotated[bool | None, option] if is_switch else Annotated[str | None, option]
    return inspect.Parameter(setting.key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
