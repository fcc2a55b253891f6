"""Holds the bodies of recorded requests against botocore's models of the services.

    shapes.py FILE

FILE has one JSON object a line: `service` (as botocore names it), `operation` and `body` (an object). Prints a line for
each: {"operation": ..., "wrong": [...]}: what botocore's own validation finds, members that the model does not have, and
lists and texts that are longer than it allows.
"""

import json
import sys

from botocore import validate
from botocore.session import Session

SESSION = Session()


def main(path: str) -> None:
    """Prints what is wrong with each request."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            sent = json.loads(line)
            model = SESSION.get_service_model(sent["service"]).operation_model(sent["operation"])
            report = validate.ParamValidator().validate(sent["body"], model.input_shape)
            wrong = [report.generate_report()] if report.has_errors() else []
            wrong += walk(sent["body"], model.input_shape, sent["operation"])
            print(json.dumps({"operation": sent["operation"], "wrong": wrong}))


def walk(value, shape, place: str) -> list:
    """What botocore does not look at: members that are unknown, and the upper bounds."""
    wrong = []
    bound = shape.metadata.get("max")
    if bound is not None and hasattr(value, "__len__") and len(value) > bound:
        wrong.append(f"{place}: {len(value)} over {bound}")
    if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        wrong.append(f"{place}: {value!r} is none of {shape.metadata['enum']}")
    if shape.type_name == "structure":
        for name, member in value.items():
            if name not in shape.members:
                wrong.append(f"{place}: {name} is no member")
            else:
                wrong += walk(member, shape.members[name], f"{place}.{name}")
    elif shape.type_name == "list":
        for index, member in enumerate(value):
            wrong += walk(member, shape.member, f"{place}[{index}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            wrong += walk(name, shape.key, f"{place} key")
            wrong += walk(member, shape.value, f"{place}.{name}")
    return wrong


if __name__ == "__main__":
    main(*sys.argv[1:])
