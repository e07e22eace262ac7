"""Words instead of codes (PS3.7 annex C, PS3.4 annexes B and C, PS3.8 section 9.3.4, PS3.18 section 10.5)."""

_ASK = "Ask the PACS administrator to add: AE {ours}, this computer's address, port {port}."
_STATUS = {
    0x0105: "it does not know an attribute that was asked for",
    0x0106: "a value in it breaks a rule",
    0x0110: "it failed while working on it",
    0x0111: "it is there already",
    0x0112: "it does not know such an object",
    0x0117: "its name (UID) breaks a rule",
    0x0118: "it does not know this kind of object",
    0x0119: "kind and name of the object do not fit together",
    0x0122: "it does not take this kind of file",
    0x0124: "we are not authorised",
    0xFE00: "it was cancelled",
}
_RANGES = (
    (0xA700, 0xA7FF, "it is out of resources, such as disk space"),
    (0xA800, 0xA801, "it does not know where to send films: its name for us is missing"),
    (0xA900, 0xA9FF, "the file does not fit its kind"),
    (0xB000, 0xBFFF, "it was done with a warning"),
    (0xC000, 0xCFFF, "it cannot understand or process it"),
)
_REJECTED = {
    (1, 1): "it gave no reason",
    (1, 2): "it does not speak this kind of DICOM",
    (1, 3): "it does not know our AE title",
    (1, 7): "it does not answer to the AE title {theirs}",
    (2, 1): "it gave no reason",
    (2, 2): "it speaks another version of the protocol",
    (3, 1): "it is busy for the moment",
    (3, 2): "it has no connection left",
}
_HTTP = {
    400: "it does not understand what was asked",
    401: "user name or password is missing or wrong",
    403: "the user is not allowed to",
    404: "nothing is at this address",
    409: "it did not take the files",
    413: "the file is too large for it",
    415: "it does not take this kind of file",
    503: "it is busy for the moment",
}
WARNINGS = {0xB000, 0xB006, 0xB007, 0x0111}  # the file is there all the same


def status_in_words(status: int) -> str:
    """A DIMSE status or the FailureReason of a store."""
    known = _STATUS.get(status)
    if known is None:
        known = next((words for low, high, words in _RANGES if low <= status <= high), "it gave a reason of its own")
    return f"{known} (0x{status:04X})"


def unreachable(place: str) -> str:
    """Nobody listens there."""
    return (
        f"No PACS answers at {place}. Is the address right, is the PACS on, does a firewall lie between? "
        "The PACS administrator knows host, port and AE title."
    )


def rejected(source: int, reason: int, theirs: str, ours: str, port: int) -> str:
    """It answered and does not want to speak with us."""
    why = _REJECTED.get((source, reason), "it gave a reason of its own").format(theirs=theirs)
    return f"The PACS refused the connection: {why}. " + _ASK.format(ours=ours, port=port)


def query_refused(ours: str, port: int, said: str) -> str:
    """The ping went well, the query not."""
    return (
        f"The PACS answered the ping but refused the query ({said}). Usually it does not know our AE title {ours}. "
        + _ASK.format(ours=ours, port=port)
    )


def http_in_words(code: int, url: str) -> str:
    """An HTTP status of a DICOMweb service."""
    why = _HTTP.get(code, "it failed" if code >= 500 else "it gave a reason of its own")
    return f"The PACS at {url} refused: {why} (HTTP {code})."
