"""Holds the bodies of recorded requests against botocore's model of the operation, as a service would.

    queue_shapes.py FILE SERVICE OPERATION

FILE has one body a line. Prints a JSON text for each thing that is wrong: botocore's own checks, and what these leave
out: members that the model does not have, and more or longer than its `max`.
"""

import base64
import json
import sys

import botocore.loaders
import botocore.model
import botocore.validate


def main(path: str, service: str, operation: str) -> None:
    """Prints what is wrong."""
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    shape = botocore.model.ServiceModel(model, service).operation_model(operation).input_shape
    with open(path, encoding="utf-8") as bodies:
        for body in bodies:
            parameters = blobs(shape, json.loads(body))
            report = botocore.validate.ParamValidator().validate(parameters, shape)
            wrong = [report.generate_report()] if report.has_errors() else []
            for what in wrong + list(walk(shape, parameters, operation)):
                print(json.dumps(what))


def blobs(shape, value):
    """The value with its base64 undone, as botocore takes it."""
    if shape.type_name == "structure":
        return {name: blobs(shape.members[name], member) if name in shape.members else member for name, member in value.items()}
    if shape.type_name == "list":
        return [blobs(shape.member, member) for member in value]
    return base64.b64decode(value, validate=True) if shape.type_name == "blob" else value


def walk(shape, value, where: str):
    """What is not in the model, and what is more than its `max`."""
    length_max = shape.metadata.get("max")
    if length_max is not None and hasattr(value, "__len__") and len(value) > length_max:
        yield f"{where} has {len(value)}, {length_max} at most"
    if shape.type_name == "structure":
        for name, member in value.items():
            if name not in shape.members:
                yield f"{where} has no {name}"
            else:
                yield from walk(shape.members[name], member, f"{where}.{name}")
    if shape.type_name == "list":
        for member in value:
            yield from walk(shape.member, member, where)


if __name__ == "__main__":
    main(*sys.argv[1:])
