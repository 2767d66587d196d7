"""Follows the statements of a script: assignments, calls of its functions, branches.

A branch whose condition is known is followed alone; otherwise both are followed, and a variable with two
values becomes a choice. A loop over a known list is followed for each element. Functions are followed where
they are called, with their arguments; those that nothing calls are followed at the end, with unknown ones.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkify_lake.migrate import library
from sparkify_lake.migrate.evaluation import FUNCTIONS, Evaluation, assign_names, merged, truth
from sparkify_lake.migrate.recording import is_secret, looks_secret, without_userinfo
from sparkify_lake.migrate.storage import Context
from sparkify_lake.migrate.values import (
    Class,
    Dotted,
    Environment,
    Function,
    Scope,
    Session,
    Settings,
    Text,
    Unknown,
    constant_of,
    symbol,
    text,
)

_MAX_DEPTH = 12
_MAX_LOOP = 64
_MAX_STATEMENTS = 20_000
_SESSION_NAMES = ("spark", "session", "spark_session", "sc", "sqlContext")
_SESSION_USES = ("read", "sql", "sparkContext", "createDataFrame", "conf")


class Interpreter(Evaluation):
    """Follows one script; `context` receives everything that it does."""

    def __init__(self, context: Context, folder: Path) -> None:
        """Takes the state of the script and its folder, where the modules that it imports are."""
        super().__init__(context)
        self.folder = folder
        self.module = Scope()
        self.returns: list[Any] = []
        self.called_functions: set[int] = set()
        self.modules: dict[str, Scope] = {}
        self.statements = 0

    def follow(self, tree: ast.Module) -> Scope:
        """Follows a script, then the functions that it only defines."""
        self._look_for_secrets(tree)
        self.module.names["__name__"] = text("__main__")
        self.follow_all(tree.body, self.module)
        functions = [one for one in self.module.names.values() if isinstance(one, Function)]
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        called = {one.id for one in calls if isinstance(one, ast.Name)}
        names = {id(one): getattr(one.node, "name", "") for one in functions}
        # First the functions that no other one calls: they call the others with their arguments.
        functions.sort(key=lambda one: (names[id(one)] != "main", names[id(one)] in called))
        for function in functions:
            if id(function.node) not in self.called_functions and isinstance(function.node, ast.FunctionDef):
                self._call_unknown(function, function.node)
        for kind in [one for one in self.module.names.values() if isinstance(one, Class)]:
            if id(kind.node) not in self.called_functions:
                self._follow_class(kind)
        return self.module

    def _look_for_secrets(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if keys := without_userinfo(node.value)[1]:
                    self.context.recording.secret(node.lineno, "keys in a URL", keys)
                elif looks_secret(node.value):
                    self.context.recording.secret(node.lineno, "a key of AWS", node.value)

    def _call_unknown(self, function: Function, node: ast.FunctionDef) -> None:
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
        optional = names[len(names) - len(node.args.defaults) :] if node.args.defaults else []
        self.call_function(function, [_unknown_argument(name) for name in names if name not in optional], {})

    def _follow_class(self, kind: Class) -> None:
        """Creates an object with unknown arguments and calls its methods."""
        made = self.create(kind, [], {})
        methods = [one for one in kind.scope.names.values() if isinstance(one, Function)]
        for method in methods:
            node = method.node
            if isinstance(node, ast.FunctionDef) and id(node) not in self.called_functions:
                names = [one.arg for one in node.args.args[1:]]
                self.call_function(
                    Function(node, method.scope, made), [_unknown_argument(one) for one in names], {}
                )

    def keyed(self, name: str, value: Any, line: int) -> None:
        """Records a secret that has the name of one."""
        constant = constant_of(value)
        if constant and " " not in constant and is_secret(name, constant):
            self.context.recording.secret(line, f"the value of {name}", constant)

    def seen(self, node: ast.expr, scope: Scope) -> None:
        """Notes which parameter of a function is the session."""
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _SESSION_USES
            and isinstance(node.value, ast.Name)
        ):
            running = self.context.functions
            if running and node.value.id in scope.names:
                self.context.recording.session_parameters.setdefault(running[-1], node.value.id)

    # --- functions and classes ----------------------------------------------------------------------------

    def call_function(
        self, function: Function, arguments: Sequence[Any], keywords: dict[str, Any], line: int = 0
    ) -> Any:
        """Follows a function with its arguments and returns what it returns."""
        node = function.node
        name = getattr(node, "name", "<lambda>")
        running = self.context.functions
        if len(running) > _MAX_DEPTH or running.count(name) > 1:
            return Unknown("a recursion")
        self.called_functions.add(id(node))
        scope = Scope(outer=function.scope)
        self._bind(function, arguments, keywords, scope, name)
        if isinstance(node, ast.Lambda):
            return self.value(node.body, scope)
        outer_returns, self.returns = self.returns, []
        running.append(name)
        self.context.calls.append(line)
        self.follow_all(node.body, scope)
        running.pop()
        self.context.calls.pop()
        found, self.returns = self.returns, outer_returns
        result = found[0] if found else None
        for one in found[1:]:
            result = merged(result, one)
        recording = self.context.recording
        if isinstance(result, Session) and name not in recording.session_functions:
            recording.session_functions.append(name)
        return result

    def _bind(
        self, function: Function, arguments: Sequence[Any], keywords: dict[str, Any], scope: Scope, name: str
    ) -> None:
        parameters = function.node.args
        names = [one.arg for one in (*parameters.posonlyargs, *parameters.args)]
        given = [function.receiver, *arguments] if function.receiver is not None else list(arguments)
        defaults = (
            dict(zip(names[len(names) - len(parameters.defaults) :], parameters.defaults, strict=True))
            if (parameters.defaults)
            else {}
        )
        keyword_only = zip((one.arg for one in parameters.kwonlyargs), parameters.kw_defaults, strict=True)
        defaults |= {one: default for one, default in keyword_only if default is not None}
        bound: dict[str, Any] = dict(zip(names, given, strict=False))
        if parameters.vararg is not None:
            scope.names[parameters.vararg.arg] = list(given[len(names) :])
        allowed = (*names, *(one.arg for one in parameters.kwonlyargs))
        bound |= {one: value for one, value in keywords.items() if one in allowed}
        if parameters.kwarg is not None:
            scope.names[parameters.kwarg.arg] = {
                one: value for one, value in keywords.items() if one not in allowed
            }
        for one in allowed:
            value = (
                bound[one]
                if one in bound
                else (
                    self.value(defaults[one], function.scope) if one in defaults else _unknown_argument(one)
                )
            )
            if isinstance(value, Text):
                value = value.named(one, is_parameter=True, line=getattr(function.node, "lineno", 0))
            elif isinstance(value, Session):
                self.context.recording.session_parameters.setdefault(name, one)
            scope.names[one] = value

    def create(self, kind: Class, arguments: Sequence[Any], keywords: dict[str, Any], line: int = 0) -> Any:
        """Creates an object: its scope is inside that of its class."""
        self.called_functions.add(id(kind.node))
        made = Scope(outer=kind.scope)
        constructor = kind.scope.names.get("__init__")
        if isinstance(constructor, Function):
            self.call_function(Function(constructor.node, constructor.scope, made), arguments, keywords, line)
        else:
            made.names.update(keywords)  # a dataclass
        return made

    # --- statements ---------------------------------------------------------------------------------------

    def follow_all(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follows statements in their order."""
        for statement in body:
            self.statements += 1
            if self.statements > _MAX_STATEMENTS:
                self.context.recording.not_understood(
                    statement.lineno, "the script from here on", "it is too long"
                )
                return
            follow = getattr(self, f"_follow_{type(statement).__name__.lower()}", None)
            if follow is not None:
                follow(statement, scope)

    def _follow_expr(self, node: ast.Expr, scope: Scope) -> None:
        self.value(node.value, scope)

    def _follow_return(self, node: ast.Return, scope: Scope) -> None:
        self.returns.append(self.value(node.value, scope))

    def _follow_functiondef(self, node: ast.FunctionDef, scope: Scope) -> None:
        function: Any = Function(node, scope)
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            used = self.value(call.func if call else decorator, scope)
            if isinstance(used, Dotted) and used.name in (f"{FUNCTIONS}.udf", f"{FUNCTIONS}.pandas_udf"):
                given = [self.value(one, scope) for one in call.args] if call else []
                given += [self.value(one.value, scope) for one in call.keywords] if call else []
                function = self.called(used, [function, *given], {}, node.lineno)
        scope.names[node.name] = function

    _follow_asyncfunctiondef = _follow_functiondef

    def _follow_classdef(self, node: ast.ClassDef, scope: Scope) -> None:
        inner = Scope(outer=scope)
        self.follow_all(node.body, inner)
        scope.names[node.name] = Class(node, inner)

    def _follow_import(self, node: ast.Import, scope: Scope) -> None:
        for one in node.names:
            found = self._local_module(one.name)
            name = one.asname or one.name.partition(".")[0]
            scope.names[name] = found or Dotted(one.name if one.asname else name)

    def _follow_importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = node.module or ""
        local = self._local_module(module)
        for one in node.names:
            name = one.asname or one.name
            if one.name == "*":
                scope.stars.append(module)
                scope.names.update(local.names if local else {})
            elif local is not None and one.name in local.names:
                scope.names[name] = local.names[one.name]
            elif module == "os" and one.name == "environ":
                scope.names[name] = Environment()
            else:
                scope.names[name] = (
                    self._local_module(one.name) if not module else Dotted(f"{module}.{one.name}")
                )

    def _local_module(self, name: str) -> Scope | None:
        """Follows a module next to the script."""
        file = self.folder / f"{name.replace('.', '/')}.py"
        if not name or not file.is_file():
            return None
        if name not in self.modules:
            self.modules[name] = Scope({"__name__": text(name)})
            try:
                tree = ast.parse(file.read_bytes())
            except (SyntaxError, ValueError):
                self.context.recording.not_understood(0, f"the module {name}", "it is not valid Python")
                return self.modules[name]
            self._look_for_secrets(tree)
            self.follow_all(tree.body, self.modules[name])
        return self.modules[name]

    def _follow_assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self._assign(target, value, scope, node.lineno)

    def _follow_annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._assign(node.target, self.value(node.value, scope), scope, node.lineno)

    def _follow_augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        value = self.operated(self.value(node.target, scope), node.op, self.value(node.value, scope))
        self._assign(node.target, value, scope, node.lineno)

    def _assign(self, target: ast.expr, value: Any, scope: Scope, line: int) -> None:
        elements = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        if elements and isinstance(value, list | tuple) and len(value) == len(elements):
            for inner, one in zip(elements, value, strict=True):
                self._assign(inner, one, scope, line)
        elif isinstance(target, ast.Name):
            value = self._named(target.id, value, scope, line)
            assign_names(target, value, scope)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, scope)
            if isinstance(owner, Scope):
                owner.names[target.attr] = self._named(target.attr, value, scope, line)
        elif isinstance(target, ast.Subscript):
            owner, key = self.value(target.value, scope), constant_of(self.value(target.slice, scope))
            if isinstance(owner, Environment):
                self._set_variable(key or "?", value, line)
            elif isinstance(owner, dict):
                owner[key] = self._named(key or "", value, scope, line)
        else:
            assign_names(target, value, scope)

    def _named(self, name: str, value: Any, scope: Scope, line: int) -> Any:
        """Returns a value under the name of its variable; records secrets and constants of the module."""
        if not isinstance(value, Text):
            return value
        constant = value.constant
        if constant and " " not in constant and is_secret(name, constant):
            self.context.recording.secret(line, f"the variable {name}", constant)
        elif constant and scope is self.module:
            self.context.recording.constants[name] = (value, line)
        return value.named(name, is_parameter=False, line=line)

    def _set_variable(self, name: str, value: Any, line: int) -> None:
        """Records what the script puts into the environment."""
        recording = self.context.recording
        if isinstance(value, Settings):  # config["KEY"], without a section
            value = library.text_of(value)
        if not isinstance(value, Text):
            return
        constant = value.constant
        if constant is None:
            piece = value.pieces[0]
            if piece.kind == "setting" and is_secret(name, piece.text):
                recording.credential(line, name, piece)
            else:
                recording.set(name, value, line)
        elif constant and is_secret(name, constant):
            recording.secret(line, f"the environment variable {name}", constant)
        else:
            recording.set(name, value, line)

    def _follow_global(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
        scope.shared.update(node.names)

    _follow_nonlocal = _follow_global

    def _follow_if(self, node: ast.If, scope: Scope) -> None:
        known = truth(self.value(node.test, scope))
        if known is not None:
            self.follow_all(node.body if known else node.orelse, scope)
        else:
            self._follow_both(node.body, node.orelse, scope)

    def _follow_both(self, body: Sequence[ast.stmt], other: Sequence[ast.stmt], scope: Scope) -> None:
        before = dict(scope.names)
        self.follow_all(body, scope)
        after = scope.names
        scope.names = dict(before)
        self.follow_all(other, scope)
        for name in {**after, **scope.names}:
            if name in after and name in scope.names:
                first, second = after[name], scope.names[name]
                scope.names[name] = first if first is second else merged(first, second)
            else:
                scope.names.setdefault(name, after.get(name))

    def _follow_for(self, node: ast.For, scope: Scope) -> None:
        over = self.value(node.iter, scope)
        if isinstance(over, dict):
            over = [text(str(key)) for key in over]
        if isinstance(over, list | tuple) and len(over) <= _MAX_LOOP:
            for one in over:
                assign_names(node.target, one, scope)
                self.follow_all(node.body, scope)
        else:
            assign_names(node.target, symbol("?", "unknown"), scope)
            self.follow_all(node.body, scope)

    def _follow_while(self, node: ast.While, scope: Scope) -> None:
        self.follow_all(node.body, scope)

    def _follow_with(self, node: ast.With, scope: Scope) -> None:
        for one in node.items:
            value = self.value(one.context_expr, scope)
            if one.optional_vars is not None:
                self._assign(one.optional_vars, value, scope, node.lineno)
        self.follow_all(node.body, scope)

    def _follow_try(self, node: ast.Try, scope: Scope) -> None:
        self.follow_all(node.body, scope)
        for handler in node.handlers:
            self._follow_both(handler.body, [], scope)
        self.follow_all([*node.orelse, *node.finalbody], scope)


def _unknown_argument(name: str) -> Any:
    """Returns the argument of a function that nothing calls."""
    return Session() if name in _SESSION_NAMES else symbol(name, "parameter")
