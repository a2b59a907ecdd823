"""``migrate``: bring the database's tables to this version's."""

import sys
from argparse import ArgumentParser, Namespace

from meetbot_calendar.commands.database import check_database, check_owner, login_of
from meetbot_calendar.commands.stores import open_stores, owner_setting
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import Settings
from meetbot_calendar.storage import migrations


def arguments(parser: ArgumentParser) -> None:
    """Declare none."""
    _ = parser


def main(settings: Settings, given: Namespace) -> int:
    """Migrate whichever database is set, or our own."""
    _ = given
    with open_stores(settings) as stores:
        migrate(stores)
    sys.stdout.write("the database is up to date\n")
    return 0


def migrate(stores: Settings) -> None:
    """Migrate the database of settings whose stores are open. Raises ``CannotStart``."""
    if stores.database_url is None or stores.owner_database_url is None:
        raise CannotStart("no database is set", "set MEETBOT_DATABASE_URL")
    owner, name = stores.owner_database_url.reveal(), owner_setting(stores)
    check_database(owner, name)
    check_owner(owner, name)
    try:
        migrations.migrate(owner, login_of(stores.database_url.reveal()))
    except migrations.MigrationFailed as error:
        cause = f"the database in {name} cannot be migrated: {error}"
        raise CannotStart(cause, "mend that, or run the version that it belongs to") from error
