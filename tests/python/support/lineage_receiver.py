"""A receiver of OpenLineage events, which checks every event against the schemas of the specification.

The schemas are derived from the classes of the official client, which are generated from the specification.
They are stricter in one way: they allow no key that the specification does not name. With
`OPENLINEAGE_SPEC=FOLDER`, the published schemas in this folder (`spec/` of the repository of OpenLineage) are
used as well.
"""

from __future__ import annotations

import enum
import gzip
import json
import os
import threading
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import attr
import jsonschema
from openlineage.client import event_v2, facet_v2
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Event = dict[str, Any]
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
# The `_schemaURL` of a facet names its schema.
_FACET = {"type": "object", "required": ["_producer", "_schemaURL"]}


class Receiver:
    """The requests that an HTTP server has received.

    Attributes:
        url: Its address, for `OPENLINEAGE_URL`.
        raw: Each request as text: its headers, an empty line, and its body.
        events: The events.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.raw: list[str] = []
        self.events: list[Event] = []

    def checked(self, job: str | None = None) -> list[Event]:
        """Returns the events, of one job if it is named, after checking them against the schemas."""
        events = [one for one in self.events if job is None or one["job"]["name"] == job]
        found = [problem for event in events for problem in problems(event)]
        assert found == [], "\n".join(found)
        return events


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Runs an HTTP server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.raw.append(f"{self.path}\n{self.headers}\n{body.decode()}")
            received.events.append(json.loads(body))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()


def problems(event: Event) -> list[str]:
    """Returns what the specification does not allow in an event."""
    found = _errors(_schema_of(event_v2.RunEvent), event)
    datetime.fromisoformat(event["eventTime"])
    UUID(event["run"]["runId"])
    facets = list(_facets(event))
    classes = _facet_classes()
    for name, facet in facets:
        known = classes.get(facet["_schemaURL"])
        if known is not None:
            found += [f"{name}: {error}" for error in _errors(_schema_of(known), facet)]
        elif facet["_schemaURL"].startswith("https://openlineage.io/spec/"):
            found.append(f"{name}: {facet['_schemaURL']} is not in the specification")
    if "OPENLINEAGE_SPEC" in os.environ:
        published = _published()
        found += _errors({"$ref": event["schemaURL"]}, event, published)
        for name, facet in facets:
            if facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/"):
                schema = {"$ref": facet["_schemaURL"].rpartition("/spec/facets/")[2].partition("/")[2]}
                found += [f"{name}: {error}" for error in _errors(schema, facet, published)]
    return found


def _errors(schema: Any, value: Any, registry: Registry[Any] | None = None) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema, registry=registry or Registry())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _facets(event: Event) -> Iterator[tuple[str, Event]]:
    datasets = [*event["inputs"], *event["outputs"]]
    for owner in (event["run"], event["job"], *datasets):
        for place in ("facets", "inputFacets", "outputFacets"):
            yield from owner.get(place, {}).items()


@cache
def _facet_classes() -> dict[str, type]:
    """The classes of all facets by the URL of their schema."""
    modules = [one for one in vars(facet_v2).values() if isinstance(one, types.ModuleType)]
    classes = [one for module in modules for one in vars(module).values() if isinstance(one, type)]
    facets = [one for one in classes if issubclass(one, facet_v2.BaseFacet)]
    assert len(facets) > 30
    return {one._get_schema(): one for one in facets}


@cache
def _schema_of(cls: type) -> Any:
    """The schema of a class of the client."""
    definitions: dict[str, Any] = {}
    return {**_type_schema(cls, definitions), "$defs": definitions}


def _type_schema(cls: Any, definitions: dict[str, Any]) -> Any:
    """The schema of a type; classes are added to the definitions, because they may contain themselves."""
    origin, arguments = typing.get_origin(cls), typing.get_args(cls)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_type_schema(one, definitions) for one in arguments if one is not type(None)]}
    if origin is list:
        return {"type": "array", "items": _type_schema(arguments[0], definitions)}
    if origin is dict:
        is_facet = isinstance(arguments[1], type) and issubclass(arguments[1], facet_v2.BaseFacet)
        values = _FACET if is_facet else _type_schema(arguments[1], definitions)
        return {"type": "object", "additionalProperties": values}
    if cls is Any:
        return {}
    if cls in _PLAIN:
        return {"type": _PLAIN[cls]}
    if issubclass(cls, enum.Enum):
        return {"enum": [one.value for one in cls]}
    name = f"{cls.__module__}.{cls.__name__}"
    if name not in definitions:
        # A facet without a schema, such as those of Airflow, may have any keys.
        is_open = cls.__module__ == facet_v2.BaseFacet.__module__ and issubclass(cls, facet_v2.BaseFacet)
        definition = definitions[name] = {"type": "object", "additionalProperties": is_open}
        hints, fields = typing.get_type_hints(cls), attr.fields(cls)
        definition["properties"] = {one.name: _type_schema(hints[one.name], definitions) for one in fields}
        definition["required"] = [one.name for one in fields if one.default is attr.NOTHING]
    return {"$ref": f"#/$defs/{name}"}


@cache
def _published() -> Registry[Any]:
    """The published schemas, by their address and by the name of their file."""
    files = sorted(Path(os.environ["OPENLINEAGE_SPEC"]).rglob("*.json"))
    resources = []
    for file in files:
        if file.parent.name in ("spec", "facets"):
            schema = json.loads(file.read_text())
            resource = Resource.from_contents(schema, default_specification=DRAFT202012)
            resources += [(schema["$id"], resource), (file.name, resource)]
    assert len(resources) > 60
    return Registry().with_resources(resources)
