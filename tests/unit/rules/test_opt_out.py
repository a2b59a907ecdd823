import pytest

from rules.decision import OptOut, matches_opt_out

OPT_OUT = OptOut(
    emails=("Bob@Customer.com",),
    domains=("secret.org", "@Private.example"),
    rooms=("https://meet.google.com/abc-defg-hij", "zoom:123456789"),
)


@pytest.mark.parametrize(
    "email",
    ["bob@customer.com", "BOB@customer.COM", "bob+calendar@customer.com", " bob@customer.com "],
)
def test_a_person_opts_out_however_the_address_is_spelt(email: str) -> None:
    sentence = matches_opt_out(OPT_OUT, emails=["ann@acme.com", email])

    assert sentence == "Bob@Customer.com has opted out of being recorded."


@pytest.mark.parametrize(
    "email", ["bobby@customer.com", "bob@customer.com.au", "notbob@customer.com"]
)
def test_a_person_with_a_similar_address_has_not_opted_out(email: str) -> None:
    assert matches_opt_out(OPT_OUT, emails=[email]) is None


@pytest.mark.parametrize(
    ("emails", "domains", "inside"),
    [
        (["ann@secret.org"], [], "secret.org"),
        (["ann@eu.SECRET.org"], [], "eu.secret.org"),
        ([], ["secret.org"], "secret.org"),
        ([], ["deep.below.secret.org."], "deep.below.secret.org"),
    ],
)
def test_a_domain_opts_out_with_all_that_lies_below_it(
    emails: list[str], domains: list[str], inside: str
) -> None:
    sentence = matches_opt_out(OPT_OUT, emails=emails, domains=domains)

    assert sentence == (
        f"Everybody at secret.org has opted out of being recorded ({inside} is in it)."
    )


@pytest.mark.parametrize("domain", ["notsecret.org", "secret.org.example", "org", ""])
def test_a_domain_that_only_looks_alike_has_not_opted_out(domain: str) -> None:
    assert matches_opt_out(OPT_OUT, domains=[domain]) is None


@pytest.mark.parametrize(
    "room",
    [
        "https://meet.google.com/abc-defg-hij",
        "HTTP://meet.google.com/ABC-defg-hij/",
        "meet.google.com/abc-defg-hij",
        "zoom:123456789",
    ],
)
def test_a_room_opts_out_by_its_link_or_its_key(room: str) -> None:
    sentence = matches_opt_out(OPT_OUT, rooms=[room])

    assert sentence is not None
    assert sentence.startswith("The meeting room ")
    assert sentence.endswith(" has been opted out of being recorded.")


def test_an_empty_list_forbids_nothing() -> None:
    empty = OptOut(emails=("",), domains=("", "."), rooms=())

    assert matches_opt_out(empty, emails=["a@b.c", "x"], domains=["b.c"], rooms=["r"]) is None
    assert matches_opt_out(OptOut(), emails=["a@b.c"]) is None
