"""What routes of this service are handed beside a session: an importer, the limits, the language."""

from typing import Annotated

from fastapi import Depends, Header, Request

from services.imports.domain.limits import ImportLimits
from shared.identity import IMPORT, SETTINGS, Actor
from shared.wording import language_of


async def _importer(request: Request) -> Actor:
    actor: Actor = request.state.actor
    if not actor.may(SETTINGS):
        actor.require(IMPORT)
    return actor


async def _limits(request: Request) -> object:
    return request.app.state.wiring.settings


async def _language(
    accept_language: Annotated[str | None, Header(description="`vi` (default) or `en`")] = None,
) -> str:
    return language_of(accept_language)


ImporterDep = Annotated[Actor, Depends(_importer)]
"""The actor, who may import customers or sectors: refused before the request's content is looked at.
Which of the two is asked when it is known what the import is of."""

LimitsDep = Annotated[ImportLimits, Depends(_limits)]
LanguageDep = Annotated[str, Depends(_language)]
