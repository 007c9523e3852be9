"""The sums that a page writes out, done again: ``2 x 40 x 1.25 = 100.00``."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from decimal import Decimal

_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
# What is added, multiplied or put in brackets, from two spaces, a backtick or the line's beginning on.
_SUM = re.compile(rf"(?:^|`|  +)([-(\d][-+x/(). ,\d]*?) = ({_NUMBER})(?=`|$)", re.MULTILINE)
_OPERATIONS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def sums(text: str) -> list[tuple[Decimal, Decimal]]:
    """Of each sum in ``text`` what it comes to, and what stands there."""
    return [(_worth(by_hand), _plain(figure)) for by_hand, figure in _SUM.findall(text)]


def _plain(figure: str) -> Decimal:
    return Decimal(figure.replace(",", ""))


def _worth(by_hand: str) -> Decimal:
    text = by_hand.replace(",", "").replace("x", "*")
    return _value(ast.parse(text, mode="eval").body, text)


def _value(node: ast.expr, text: str) -> Decimal:
    match node:
        case ast.BinOp(left=left, op=sign, right=right):
            return _OPERATIONS[type(sign)](_value(left, text), _value(right, text))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, text)
        case _:
            return Decimal(ast.get_source_segment(text, node) or "")
