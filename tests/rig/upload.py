"""Uploads documents to a CloudSearch endpoint as botocore's own model has it.

    upload.py ENDPOINT FILE

FILE is a batch of documents as JSON.
"""

import sys

from client import connect


def main(endpoint: str, path: str) -> None:
    """Uploads the file and prints the status."""
    with open(path, "rb") as file:
        answer = connect("cloudsearchdomain", endpoint).upload_documents(
            documents=file.read(), contentType="application/json"
        )
    print(answer["status"])


if __name__ == "__main__":
    main(*sys.argv[1:])
