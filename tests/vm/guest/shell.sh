# A developer's prompt on the console. Sourced by init.
tty_size
cat >/root/.profile <<'RC'
. /vm/lib.sh
PS1='weir-vm# '
ENV=
RC
say "shell on $MACHINE: DUT0=$DUT0 DUT1=$DUT1 (dut0, dut1), peers peer0 and peer1; try: peers_up"
# A session with the console as its terminal, so that ^C works.
setsid cttyhack /bin/sh -l
