# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a registry may be: what is accepted is shown, so nothing is accepted that may hold a secret."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._registry.location import (
    PARAMETERS,
    locate,
    may_be_shown,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.move_marks import (
    Move,
    moved_to,
    not_in_use_error,
)

SECRET = "Xk29mQz77"


@pytest.mark.parametrize(
    "location",
    [
        "/var/lib/nextbilling-did/registry.db",
        "/srv/Ünïcode and spaces/a@b (1).db",
        "postgresql://",
        "postgresql:///provisioning",
        "postgresql://runner@db.example.com/provisioning?sslmode=verify-full&sslrootcert=/etc/ssl/db%20ca.pem",
        "postgresql://runner@host1:5432,host2:5433/provisioning?target_session_attrs=read-write",
        "postgresql://runner@[2001:db8::1]:5432,[::1]/provisioning",
        "postgresql://runner@host1,host2,host3/provisioning?target_session_attrs=read-write&connect_timeout=2",
        "postgresql://runner@host1:5432,host2/provisioning?load_balance_hosts=disable&sslmode=verify-full",
        "postgresql://host1:5432,%2Fvar%2Frun%2Fpostgresql/provisioning?user=runner",
        "postgresql://runner%40server@%2Fvar%2Frun%2Fpostgresql/provisioning",
        "postgresql:///provisioning?host=/var/run/postgresql,db.example.com&port=5432,5433&user=runner",
        "postgresql://db/x?options=-csearch_path%3Dnextbilling%2Cpublic",
        "postgresql://db/x?passfile=/home/me/.pgpass&service=did&application_name=ci_7",
        "postgresql://db/x?",
    ],
)
def test_what_is_accepted_is_shown_as_it_is(location: str) -> None:
    assert locate(location) == location
    assert may_be_shown(location)


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://me:{SECRET}@db/x",
        f"/me:{SECRET}@db/x",
        f"/var/lib/x.db password: {SECRET}",
        f"postgresql://me:{SECRET}%40db/x",
        f"postgresql://me%3A{SECRET}@db/x",
        f"postgresql://host1:5432,me:{SECRET}@host2/x",
        f"postgresql://me@host1:5432,host2:5433/x?password={SECRET}",
        f"postgresql://me@host1:5432,host2:{SECRET}@host3/x",
        f"postgres://me:{SECRET}@host1,host2/x",
        f"postgresql://me@db/x?password={SECRET}",
        f"postgresql://me@db/x?PASSWORD={SECRET}",
        f"postgresql://me@db/x?%70assword={SECRET}",
        f"postgresql://me@db/x?%2570assword={SECRET}",
        f"postgresql://me@db/x?sslmode=require&sslpassword={SECRET}",
        f"postgresql://me@db/x?sslmode=require;sslpassword={SECRET}",
        f"postgresql://me@db/x?sslmode=require%26password={SECRET}",
        f"postgresql://me@db/x?user=me%3A{SECRET}",
        f"postgresql://me@db/x?dbname=postgresql%3A%2F%2Fme%3A{SECRET}%40db%2Fx",
        f"postgresql://me@db/x?options=-c%20my.secret%3D{SECRET}",
        f"postgresql://me@db/x?options=endpoint%3Dep;{SECRET}",
        f"postgresql://me@db/x#{SECRET}",
        f"postgresql://me@db/x {SECRET}",
        f"postgresql://me@db/x\t{SECRET}",
        f"postgresql://me@db/x%0A{SECRET}",
        f"postgresql://me@db?{SECRET}",
        f"postgresql://me@db?{SECRET}=1",
        f"postgresql:me:{SECRET}@db/x",
        f"postgres://me:{SECRET}@db/x",
        f"Postgresql://me:{SECRET}@db/x",
        f"jdbc:postgresql://db/x?user=me&password={SECRET}",
        f"host=db user=me password={SECRET}",
        f"{SECRET}://x",
        f"~/x?password={SECRET}",
        f"/postgresql://me:{SECRET}@db/x",
        SECRET,
        "",
    ],
)
def test_what_may_hold_a_secret_is_refused_and_not_shown(location: str) -> None:
    assert not may_be_shown(location)
    with pytest.raises(InvalidParameter) as refused:
        locate(location, "copy_from")
    assert SECRET not in refused.value.message
    assert refused.value.message.startswith("copy_from: ")


@pytest.mark.parametrize(
    "location",
    ["postgres://me@db/x", "postgres://me@host1:5432,host2:5433/x", "postgresql+psycopg://me@db/x"],
)
def test_another_name_of_the_scheme_gets_a_hint(location: str) -> None:
    with pytest.raises(InvalidParameter, match=r"write the scheme .* as postgresql://"):
        locate(location)


def test_the_home_of_a_user_who_is_not_there_is_no_folder_here() -> None:
    """A registry below the present folder would be another one in every folder."""
    location = "~no-such-user-7/registry.db"
    assert not may_be_shown(location)
    with pytest.raises(InvalidParameter, match=r"^registry: there is no home"):
        locate(location)


@given(st.sampled_from(["?", "&"]), st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_a_parameter_that_is_not_listed_is_refused(mark: str, name: str, value: str) -> None:
    """Whatever a later release of libpq may take as a secret."""
    location = f"postgresql://me@db/x?sslmode=require{mark}{name}={value}"
    parameters = [part.partition("=")[0] for part in location.split("?", 1)[1].split("&")]
    if may_be_shown(location):
        assert set(parameters) <= PARAMETERS, parameters


def test_no_listed_parameter_is_a_secret() -> None:
    """By the names that libpq itself marks as secret, and by what a secret is called."""
    psycopg = pytest.importorskip("psycopg")
    libpq = {option.keyword.decode(): option for option in psycopg.pq.Conninfo.get_defaults()}
    secret = {name for name, option in libpq.items() if option.dispchar == b"*"}
    assert "password" in secret
    assert secret.isdisjoint(PARAMETERS)
    assert not [name for name in PARAMETERS if re.search("password|secret|_key$|token", name)]


def test_a_location_that_an_older_release_took_is_not_shown_either() -> None:
    url = f"postgresql://me@db/x?oauth_client_secret={SECRET}"
    meta = {"moved": Move("t", "/srv/registry.db", url, None, "2026-01-31T12:00:00Z").dump()}
    moving = {"moving": meta["moved"]}
    for text in (moved_to(meta), *(str(not_in_use_error(each, "/x")) for each in (meta, moving))):
        assert text and SECRET not in text
