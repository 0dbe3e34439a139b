"""What a destination adds in words to a status, as far as it cannot name anybody.

Error Comment (0000,0902, PS3.7 C) is free text of others: it may quote the patient of this object,
or of another that it was confused with, and it ends in the diary, in logs and in lists.  So nothing
of it is kept but words that are known to say what was wrong.
"""

import re

LEFT_OUT = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for what was left out."""


def in_known_words(comment: str) -> str:
    """The comment with what is not known left out: "unknown patient ...".

    Empty if no word of it is known.  Numbers are not: they may be identifiers.
    """
    kept: list[str] = []
    for part in re.findall(r"[^\W\d_]+|[\w]+", comment):
        word = part if part.casefold() in KNOWN else LEFT_OUT
        if word != LEFT_OUT or kept[-1:] != [LEFT_OUT]:
            kept.append(word)
    return " ".join(kept) if set(kept) - {LEFT_OUT} else ""


KNOWN = frozenset(
    re.findall(
        r"\w+",
        """
    abstract accept accepted access accession administrator ae aborted agree allowed already
    another anonymous archive archived are aet associated association attribute attributes
    authentication authorized authorised available bad because been before being birthdate busy
    calling called cannot can class coerced coercion command compressed compression configured
    conflict conflicting connection constraint contain contains context corrupt corrupted could
    create created data database dataset date decode decompress deleted denied destination did
    different differs directory disk does duplicate duplicated element elements empty encoding
    error exceed exceeded exceeds exception existing exist exists expected expired failed
    failure failures fault file files filesystem for format found free from full had handle has
    have header identifier identifiers ignored image images implemented in incorrect instance
    instances insufficient internal invalid io is issuer its known large late length limit
    limited locked mandatory match matches matching maximum memory message mismatch missing
    modality modified more must name network no not null number object objects of offline on
    only operation or order orders other out parse patient pdu permission permitted pixel pixels
    please possible presentation private procedure process processed processing quota read
    readonly received recognised recognized reference referenced refused register registered
    reject rejected rejection repository request requested required resource resources response
    retry room same scheduled schema sent sequence series server service size sop space specific
    standard state status storage store stored study supported syntax system tag tags
    temporarily than that the this time timeout to too transaction transfer type unable
    unavailable understand undefined unexpected uid unique unknown unregistered unsupported
    update uses user valid validation value values violation vr was warning when while with
    without write written wrong
    """,
    )
)
"""Words that archives use to say why they do not take an object, and that are nobody's name."""
