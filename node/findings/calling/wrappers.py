"""The Rust text that calls an answer's function with drawn inputs and makes a text of what comes out.

It is appended to the answer's module, and names the harness library by its full path, `::strand_harness`. Names of the
standard library are paths as well, since an answer may define `String` or `format!` of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from node.findings.calling.drawn_types import (
    CONST_VALUE,
    MUTABLE_INSIDE,
    TEXT,
    Scope,
    UnsupportedError,
    drawn_for_bounds,
    drawn_type,
    passed_type,
)
from node.findings.calling.local_types import own_types
from node.findings.calling.trait_wrappers import trait_call
from node.findings.reading.abstract_types import ITERATORS, SMART_POINTERS, callable_bounds
from node.findings.reading.extraction import Source
from node.findings.reading.rust_types import (
    Bounded,
    CallableBound,
    Function,
    FunctionPointer,
    Generic,
    Implementation,
    Named,
    OpaqueType,
    Reference,
    RustType,
)

CALL_NAME: Final = "__call"
"""Name of the wrapper: `pub fn __call(g: &mut ::strand_harness::G) -> String`."""

_ITEMS_SHOWN: Final = 500
"""Items of a returned iterator that are looked at: it may have no end."""

_POINTER_SEED: Final = "7u64"
"""Seed of a function that is passed by pointer, which can hold none of its own."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Rust text to append to the answer's module."""

    call: str
    """The function `CALL_NAME`."""
    implementations: tuple[str, ...]
    """`Arb` for the answer's own structs and enums."""

    @property
    def text(self) -> str:
        """Source code of the wrapper: the implementations of `Arb`, then the call."""
        return "\n".join((*self.implementations, self.call)) + "\n"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Reason why no wrapper can be made."""

    reason: str
    """Obstacle in a few words, with names of the answer: for the node's own log only."""


def call_wrapper(found: Function | Implementation, source: Source) -> Wrapper | Unsupported:
    """Return the wrapper that calls `found`, a function or implementation of `source`."""
    own = own_types(source)
    try:
        if isinstance(found, Function):
            call = _function_call(found, own.scope(found.generics))
        else:
            call = _implementation_call(found, own.scope(found.generics))
    except UnsupportedError as error:
        return Unsupported(str(error))
    return Wrapper(call, own.implementations)


@dataclass(slots=True)
class _Call:
    """The parts of a wrapper, as they are gathered parameter by parameter."""

    lines: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    """Expressions that show the inputs."""
    after: list[str] = field(default_factory=list)
    """Expressions that show what the call may have changed."""

    def draw(self, name: str, drawn: str) -> None:
        """Draw a value of type `drawn` as `name`."""
        self.lines.append(f"let mut {name}: {drawn} = ::strand_harness::arb(g);")
        self.inputs.append(_shown(name))

    def text(self, result: str) -> str:
        """Return the wrapper whose result is the expression `result`, a `String`."""
        inputs = ", ".join(self.inputs)
        shown = f'[{inputs}].join(" ; ")' if inputs else "::std::string::String::new()"
        changes = "".join(f' shown.push_str(" | "); shown.push_str(&{each});' for each in self.after)
        return (
            "#[allow(unused, warnings, clippy::all)]\n"
            f"pub fn {CALL_NAME}(g: &mut ::strand_harness::G) -> ::std::string::String {{ {' '.join(self.lines)} "
            f"if g.show {{ return {shown}; }} {result}{changes} shown }}"
        )


def _function_call(function: Function, scope: Scope) -> str:
    if "async" in function.qualifiers:
        raise UnsupportedError("async")
    if function.receiver or not function.complete:
        raise UnsupportedError("method" if function.receiver else "signature")
    call = _Call()
    for index, parameter in enumerate(function.parameters):
        _pass(call, index, parameter.type, function, scope)
    callee = function.name
    if function.generics:
        callee += f"::<{', '.join(_argument(generic) for generic in function.generics)}>"
    expression = f"{callee}({', '.join(call.arguments)})"
    if "unsafe" in function.qualifiers:
        expression = f"unsafe {{ {expression} }}"
    return call.text(f"let out = {expression}; let mut shown = {_result('out', function.result)};")


def _implementation_call(block: Implementation, scope: Scope) -> str:
    made = trait_call(block, scope)
    call = _Call()
    for name, drawn in zip("ab", made.drawn, strict=False):
        call.draw(name, drawn)
    return call.text(f"let shown = {made.result};")


def _argument(generic: Generic) -> str:
    """Return the type to which a generic parameter is set, since inputs and result may leave it open."""
    if generic.is_const:
        return CONST_VALUE
    if any(isinstance(bound, CallableBound) or _is_iterator(bound) for bound in generic.bounds):
        return "_"
    try:
        return drawn_for_bounds(generic.bounds)
    except UnsupportedError:
        return "_"


def _is_iterator(bound: RustType) -> bool:
    return isinstance(bound, Named) and bound.name in ITERATORS


def _pass(call: _Call, index: int, declared: RustType, function: Function, scope: Scope) -> None:
    """Add one parameter."""
    name = f"a{index}"
    closure = _closure(index, declared, function, scope)
    if closure is not None:
        line, argument, shown = closure
        call.lines.append(line)
        call.arguments.append(argument)
        call.inputs.append(_shown(shown))
        return
    if isinstance(declared, Named) and declared.name == "Cow":
        call.draw(name, TEXT)
        call.arguments.append(f"::std::borrow::Cow::Borrowed({name})")
        return
    drawn = drawn_for_bounds(declared.bounds) if isinstance(declared, Bounded) else drawn_type(declared, scope)
    call.draw(name, drawn)
    if isinstance(declared, Reference) and declared.mutable:
        # The function may keep the reference for ever, and what it wrote is shown all the same.
        call.lines.append(f"let p{index} = {name} as *mut _;")
        call.arguments.append(f"unsafe {{ &mut *p{index} }}")
        call.after.append(_shown(f"unsafe {{ &*p{index} }}"))
        return
    call.arguments.append(name)
    if isinstance(declared, Reference) and _mutable_inside(declared.target):
        call.after.append(_shown(name))


def _closure(index: int, declared: RustType, function: Function, scope: Scope) -> tuple[str, str, str] | None:
    """A function or iterator that is passed: the line that draws it, the argument, and what shows it."""
    seed, line = f"c{index}", f"let c{index} = ::strand_harness::arb::<u64>(g);"
    match declared:
        case FunctionPointer(parameters, result):
            return "", _function_value(_POINTER_SEED, parameters, result, scope, moves=False), "()"
        case Reference(_, target) if isinstance(target, Bounded) or scope.parameter(target) is not None:
            inner = _closure(index, _as_impl(target), function, scope)
            return (
                None
                if inner is None
                else (inner[0], f"&mut {inner[1]}" if declared.mutable else f"&{inner[1]}", inner[2])
            )
        case Named(segments, (Bounded() as held,)) if segments[-1] in SMART_POINTERS:
            inner = _closure(index, _as_impl(held), function, scope)
            path = {"Box": "::std::boxed::Box", "Rc": "::std::rc::Rc", "Arc": "::std::sync::Arc"}[segments[-1]]
            return None if inner is None else (inner[0], f"{path}::new({inner[1]})", inner[2])
    for bound in callable_bounds(declared, function):
        if isinstance(bound, CallableBound):
            return line, _function_value(seed, bound.parameters, bound.result, scope, moves=True), seed
        if isinstance(bound, Named) and _is_iterator(bound):
            item = next((each for label, each in bound.bindings if label == "Item"), Named(("i32",)))
            drawn = f"let {seed}: ::std::vec::Vec<{drawn_type(item, scope)}> = ::strand_harness::arb(g);"
            return drawn, f"{seed}.clone().into_iter()", seed
    return None


def _as_impl(declared: RustType) -> RustType:
    return Bounded("impl", declared.bounds) if isinstance(declared, Bounded) else declared


def _function_value(seed: str, parameters: Sequence[RustType], result: RustType, scope: Scope, *, moves: bool) -> str:
    """A closure whose result depends on its seed and on the text of its arguments alone."""
    listed = ", ".join(f"q{index}: {passed_type(each, scope)}" for index, each in enumerate(parameters))
    shown = ", ".join(_shown(f"q{index}") for index in range(len(parameters)))
    text = f'&[{shown}].join(", ")' if parameters else '""'
    return f"{'move ' if moves else ''}|{listed}| ::strand_harness::fun::<{drawn_type(result, scope)}>({seed}, {text})"


def _result(name: str, declared: RustType) -> str:
    """The expression that shows the result."""
    held: tuple[RustType, ...] = ()
    match declared:
        case OpaqueType(kind, _):
            raise UnsupportedError(f"result {kind.replace('_', ' ')}")
        case FunctionPointer():
            raise UnsupportedError("result function pointer")
        case Bounded(_, bounds):
            held = bounds
        case Named(segments, (Bounded(_, bounds),)) if segments[-1] in SMART_POINTERS:
            held = bounds
    if any(isinstance(bound, CallableBound) for bound in held):
        raise UnsupportedError("result closure")
    names = {bound.name for bound in held if isinstance(bound, Named)}
    if "Future" in names:
        raise UnsupportedError("result Future")
    if names & ITERATORS:
        return _shown(f"{name}.into_iter().take({_ITEMS_SHOWN}).collect::<::std::vec::Vec<_>>()")
    return _shown(name)


def _mutable_inside(declared: RustType) -> bool:
    match declared:
        case Named(segments, arguments):
            name = segments[-1]
            return name in MUTABLE_INSIDE or name.startswith("Atomic") or any(map(_mutable_inside, arguments))
        case Reference(_, target):
            return _mutable_inside(target)
        case _:
            return False


def _shown(expression: str) -> str:
    return f"::strand_harness::show!({expression})"
