#!/bin/sh
# One test's process: each of its rows in turn.
. /vm/lib.sh
TEST=$1
IN_TEST=1
. "/vm/tests/$1.test"
cd /tmp || exit
for ROW in ${ROWS:--}; do
	[ "$ROW" != - ] || ROW=
	guest "$ROW"
	if [ -n "$ROW" ]; then
		restore_machine || not_ok "the machine can be put back in order after this"
	fi
done
exit 0
