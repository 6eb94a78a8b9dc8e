"""Fixtures of the imports service: the service, and an uploader at their desk."""

import pytest

from tests.conftest import MakeHarness
from tests.service.imports.desk import Desk
from tests.support.harness import Harness


@pytest.fixture
async def imports(make_harness: MakeHarness) -> Harness:
    """The imports service with an empty database."""
    return await make_harness("imports")


@pytest.fixture
async def desk(imports: Harness) -> Desk:
    """An employee who may import and whom the service knows."""
    return await Desk(imports).open()
