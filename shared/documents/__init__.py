"""The documents that tell other people how to talk to a service: OpenAPI 3.1, AsyncAPI 3, JSON Schemas.

All are made from the code and checked in; a test makes them again and compares. What cannot be seen
in the code (how to read a topic) is written here, once.
"""

from shared.documents.asyncapi import asyncapi_document
from shared.documents.openapi import openapi_document

__all__ = ["asyncapi_document", "openapi_document"]
