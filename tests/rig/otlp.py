"""Reads OTLP requests as an independent and strict receiver, and prints what they say.

    otlp.py FILE

Each line of FILE is an object: `kind` (metrics or logs), `form` (protobuf or json) and `body` (hexadecimal). Prints for
each a line of JSON: the request as the generated classes of opentelemetry-proto read it, keys as in the .proto files,
ids in hexadecimal. Fails on a field that the schema does not have, at any depth, and on JSON that breaks OTLP's own
rules: keys in lowerCamelCase, 64-bit whole numbers as text, enumerators as numbers, ids in hexadecimal.
"""

import base64
import json
import re
import sys

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

REQUESTS = {"metrics": ExportMetricsServiceRequest, "logs": ExportLogsServiceRequest}
LONG = {
    FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64, FieldDescriptor.TYPE_SINT64,
}
IDS = re.compile(r"([0-9a-f]{32}|[0-9a-f]{16})?")


def main(path: str) -> None:
    """Prints each request of the file."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            given = json.loads(line)
            body = bytes.fromhex(given["body"])
            message = read(REQUESTS[given["kind"]], given["form"], body)
            told = json_format.MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=True)
            print(json.dumps(in_hex(told)))


def read(request: type, form: str, body: bytes):
    """The request, or an exception that says what breaks the schema."""
    message = request()
    if form == "json":
        said = json.loads(body)
        check(message.DESCRIPTOR, said, "")
        json_format.ParseDict(in_base64(said), message)
    else:
        message.ParseFromString(body)
        known(message, "")
    return message


def known(message, path: str) -> None:
    """Fails on a field that the schema does not have."""
    unknown = UnknownFieldSet(message)
    if len(unknown):
        raise ValueError(f"{path}: unknown fields {[field.field_number for field in unknown]}")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                known(inner, f"{path}.{field.name}")


def check(descriptor, said: dict, path: str) -> None:
    """Fails on JSON that OTLP's rules do not allow, though protobuf's own mapping would."""
    for key, value in said.items():
        fields = [field for field in descriptor.fields if field.json_name == key]
        if not fields:
            raise ValueError(f"{path}: no field is named {key}")
        field = fields[0]
        if field.is_repeated != isinstance(value, list):
            raise ValueError(f"{path}.{key}: a list or not?")
        for one in value if field.is_repeated else [value]:
            if field.message_type is not None:
                check(field.message_type, one, f"{path}.{key}")
            elif field.type in LONG and not isinstance(one, str):
                raise ValueError(f"{path}.{key}: {one!r} is not text")
            elif field.type == FieldDescriptor.TYPE_ENUM and not isinstance(one, int):
                raise ValueError(f"{path}.{key}: {one!r} is not a number")
            elif field.type == FieldDescriptor.TYPE_BYTES and not IDS.fullmatch(one):
                raise ValueError(f"{path}.{key}: {one!r} is no id")


def in_base64(said):
    """Ids as protobuf's own mapping has them."""
    return ids(said, ("traceId", "spanId"), lambda text: base64.b64encode(bytes.fromhex(text)).decode())


def in_hex(told):
    """Ids as people read them."""
    return ids(told, ("trace_id", "span_id"), lambda text: base64.b64decode(text).hex())


def ids(value, names, change):
    """The same with every member of these names changed."""
    if isinstance(value, list):
        return [ids(one, names, change) for one in value]
    if isinstance(value, dict):
        return {
            key: change(one) if key in names and isinstance(one, str) else ids(one, names, change)
            for key, one in value.items()
        }
    return value


if __name__ == "__main__":
    main(sys.argv[1])
