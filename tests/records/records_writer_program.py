"""Finishes COUNT runs in one project, as one writer of several, and prints each acknowledged number.

python records_writer_program.py STORE WRITER COUNT
"""

import sys

from records_world import commit

from seedbed.records import Store

store = Store.open(sys.argv[1])
for number in range(int(sys.argv[3])):
    run_id = f"w{sys.argv[2]}-{number}"
    sys.stdout.write(f"{run_id} {commit(store, run_id).seq}\n")
