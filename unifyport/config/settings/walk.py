"""Walks over the raw values of a TOML document and reads them as attrs classes.

Every value is read by itself. One that cannot be read is reported with its full path and replaced by its
default, or by an empty value of its type if it is required. So the walk goes on, and the checks after it get
complete settings. `Mistakes` ignores findings that depend on a replaced value.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NewType, get_args, get_origin

import attrs

from unifyport.model.structuring import Wrong, strict_converter

from .lines import KeyPath
from .mistakes import Mistake, Mistakes, suggest, suggest_key
from .values import OFF, Off, Secret

Hook = Callable[[Any], Any]


class NotRead(Exception):
    """Raised by a hook for a value that is left out on purpose, which is no mistake."""


class Walk:
    """`hooks`: readers of the project's own types; each raises `Wrong`, whose text holds no value."""

    def __init__(self, mistakes: Mistakes, hooks: Mapping[Any, Hook]) -> None:
        self._mistakes = mistakes
        self._hooks = hooks
        self._converter = strict_converter(forbid_extra_keys=True)

    def read(self, value: Any, kind: Any, path: KeyPath) -> Any:
        """`value` as `kind`. If it is wrong, the mistake is reported and a stand-in is returned."""
        options = [option for option in get_args(kind) if option is not type(None)]
        if Off in options:
            if value == OFF:
                return OFF
            [table] = [option for option in options if attrs.has(option)]
            return self.read_table(value, table, path, expected='must be a table or "off"')
        if type(None) in get_args(kind):
            [kind] = options
        if attrs.has(kind):
            return self.read_table(value, kind, path)
        if get_origin(kind) is list:
            return self._read_list(value, get_args(kind)[0], path)
        if get_origin(kind) is dict:
            return self._read_dict(value, get_args(kind)[1], path)
        return self._read_leaf(value, kind, path)

    def read_table(
        self,
        value: Any,
        kind: type[Any],
        path: KeyPath,
        expected: str = "must be a table",
        *,
        beside: Collection[str] = (),
    ) -> Any:
        """A table as an attrs class; `expected` is the text of the mistake if `value` is no table.

        `beside`: keys of the table that are not fields of the class; the caller reads them.
        """
        if not isinstance(value, dict):
            self._tell(path, expected, show_value=False)
            return self._stand_in(kind)
        fields = {field.name: field for field in attrs.fields(attrs.resolve_types(kind)) if field.init}
        for name in value:
            if name not in fields and name not in beside:
                hint = suggest_key(name, [*fields, *beside], value)
                self._tell((*path, name), "unknown key", hint=hint, show_value=False)
        found = {}
        for name, field in fields.items():
            if name in value:
                found[name] = self._read_field(value[name], field, (*path, name))
            elif field.default is attrs.NOTHING:
                found[name] = self._read_missing(field.type, (*path, name))
        return kind(**found)

    def _read_field(self, value: Any, field: "attrs.Attribute[Any]", path: KeyPath) -> Any:
        before = len(self._mistakes.found)
        found = self.read(value, field.type, path)
        if self._mistakes.is_unreadable(path):
            return self._default_of(field)
        if field.validator is not None and len(self._mistakes.found) == before:
            try:
                field.validator(None, field, found)
            except ValueError as error:
                self._tell(path, str(error))
                return self._default_of(field)
        return found

    def _read_missing(self, kind: Any, path: KeyPath) -> Any:
        """Report a missing required value; for a required table, its required keys."""
        if isinstance(kind, type) and attrs.has(kind):
            return self.read_table({}, kind, path)
        self._tell(path, "is required")
        return self._stand_in(kind)

    def _read_list(self, value: Any, kind: Any, path: KeyPath) -> list[Any]:
        if not isinstance(value, list):
            self._tell(path, "must be a list", show_value=not attrs.has(kind))
            return []
        return [self.read(item, kind, (*path, index)) for index, item in enumerate(value)]

    def _read_dict(self, value: Any, kind: Any, path: KeyPath) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._tell(path, "must be a table", show_value=False)
            return {}
        if kind is Any:
            return value
        return {name: self.read(item, kind, (*path, name)) for name, item in value.items()}

    def _read_leaf(self, value: Any, kind: Any, path: KeyPath) -> Any:
        try:
            if isinstance(value, int) and value.bit_length() > 63:
                raise Wrong("is out of range")  # TOML promises 64 bits
            if (hook := self._hooks.get(kind)) is not None:
                return hook(value)
            return self._converter.structure(value, kind)
        except NotRead:
            self._mistakes.leave_out(path)
            return self._stand_in(kind)
        except Exception as error:  # as `structure` does: cattrs raises what a type's own hook raises
            known = get_args(kind) if get_origin(kind) is Literal else ()
            text = str(error) if isinstance(error, Wrong) else "has the wrong type"
            self._tell(path, text, hint=suggest(value, known), show_value=kind is not Secret)
            return self._stand_in(kind)

    def _tell(self, path: KeyPath, text: str, *, hint: str = "", show_value: bool = True) -> None:
        self._mistakes.add_unreadable(Mistake(path, text, hint, show_value=show_value))

    def _default_of(self, field: "attrs.Attribute[Any]") -> Any:
        if field.default is attrs.NOTHING:
            return self._stand_in(field.type)
        factory = getattr(field.default, "factory", None)
        return field.default if factory is None else factory()

    def _stand_in(self, kind: Any) -> Any:
        """An empty value of the type, in place of one that cannot be read."""
        origin, options = get_origin(kind), get_args(kind)
        if origin in (list, dict):
            return origin()
        if origin is Literal:
            return options[0]
        if options:
            return self._stand_in(options[0])
        while isinstance(kind, NewType):
            kind = kind.__supertype__
        if not attrs.has(kind):
            return kind() if kind in (str, int, float, bool) else None
        fields = attrs.fields(attrs.resolve_types(kind))
        required = [field for field in fields if field.init and field.default is attrs.NOTHING]
        return kind(**{field.name: self._stand_in(field.type) for field in required})
