import os
import socket
import threading
from pathlib import Path

from meetbot_calendar.embedded.ports import free_port, holder, is_free, same_port
from meetbot_calendar.embedded.trouble import last_words, remedy_for, tail


def test_a_port_that_is_listened_on_is_not_free_and_its_holder_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()

        assert not is_free("127.0.0.1", port)
        assert holder(port) == f"{name} (process {os.getpid()})"
        assert free_port(port) != port


def test_a_port_that_lets_others_share_it_is_not_free() -> None:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        door.bind(("127.0.0.1", 0))
        door.listen()

        assert not is_free("127.0.0.1", door.getsockname()[1])


def test_a_port_that_is_free_is_taken_again() -> None:
    port = free_port()

    assert free_port(port) == port
    assert is_free("127.0.0.1", port)


def test_a_port_is_not_among_those_that_outgoing_connections_are_given() -> None:
    assert {free_port() < 32_768 for _ in range(20)} == {True}


def test_the_port_of_a_server_that_is_still_dying_is_waited_for() -> None:
    door = socket.create_server(("127.0.0.1", free_port()))
    port = door.getsockname()[1]
    dying = threading.Timer(0.2, door.close)
    dying.start()

    assert same_port(port) == port
    dying.join()


def test_a_port_that_another_program_keeps_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        assert same_port(door.getsockname()[1]) != door.getsockname()[1]


def test_a_holder_that_cannot_be_seen_is_another_program() -> None:
    assert holder(free_port()) == "another program"


def test_the_last_complaint_says_more_than_the_last_line() -> None:
    output = b"starting\nFATAL:  could not write: No space left on device\nremoving contents\n"

    said = last_words(output)

    assert said == "FATAL:  could not write: No space left on device"
    assert remedy_for(said) == "free some space, then start again"


def test_without_a_complaint_the_last_line_is_told() -> None:
    assert last_words(b"one\ntwo\n\n") == "two"
    assert last_words(b"") == "it said nothing"


def test_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == "it left no log"
