"""An answer of Vault's that is no success."""

FORBIDDEN = "1 error occurred:\n\t* permission denied\n\n"
BAD_TOKEN = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"


class Refusal(Exception):
    """A status, and the texts beside it."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(*errors)
        self.status = status
        self.errors = list(errors)
