"""Who may come in: roles, and what a name is.

A role is given to a user (who logs in) or to a token (which a machine shows).  Viewers see,
operators see and act, senders only store.
"""

import unicodedata
from enum import StrEnum

from node.core.errors import Unsuitable

LONGEST_NAME = 64
LOCAL = "local"
"""What everyone is called who reaches a node that has no users; nobody else may be called so."""
AN_ADMINISTRATOR = "an administrator"
"""Who changed it, if it is not known who of them."""
_MARKS = "._-@"


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    """See studies, with the names of patients."""
    OPERATOR = "operator"
    """The same, act on them, and store."""
    SENDER = "sender"
    """Store, and nothing else: for machines."""

    def includes(self, needed: "Role") -> bool:
        """Whether whoever has this role may do what needs that one."""
        return self is needed or self is Role.OPERATOR


def checked_name(text: str) -> str:
    """The name in one form of Unicode (NFC).  Raises Unsuitable.

    Letters and digits of any script, and ".", "_", "-", "@" behind the first: nothing that ends a
    line of a log, turns the direction of writing, or is not seen.
    """
    name = unicodedata.normalize("NFC", text)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Unsuitable(f"a name has 1 to {LONGEST_NAME} characters; this one has {len(name)}")
    if not all(letter in _MARKS or unicodedata.category(letter)[0] in "LMN" for letter in name):
        raise Unsuitable('a name is of letters, digits, ".", "_", "-" and "@" alone')
    if unicodedata.category(name[0])[0] not in "LN":
        raise Unsuitable("a name begins with a letter or a digit")
    if name_key(name) == LOCAL:
        raise Unsuitable(
            f'"{LOCAL}" is whoever reaches a node that has no users; choose another name'
        )
    return name


def name_key(name: str) -> str:
    """What two spellings of one name have in common: case, width and composition do not count."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)
