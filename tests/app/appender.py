"""What tests start in processes of its own: appends verdicts in a loop and prints the number of each that was acknowledged."""

import sys
from datetime import UTC, datetime

from app.verdicts.records import Kind, Seen, Verdict
from app.verdicts.store import open_store

if __name__ == "__main__":
    address, reader, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = open_store(address)
    for place in range(count):
        seen = Seen(f"strip{place}_0", f"strip{place}", "a" * 64, 0, "", None, (), blind=True)
        entry = store.append(Verdict(Kind.AGREE, reader, datetime.now(UTC), seen))
        sys.stdout.write(f"{entry.number} {entry.sha256}\n")
        sys.stdout.flush()
