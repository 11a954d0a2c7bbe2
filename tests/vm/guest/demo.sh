# The demonstration's part in the guest. Sourced by init; tests/vm/demo.sh is the other part.
pcap=/tmp/forward.pcap
result=0

# The table goes to the console as to any terminal; without one weir prints plain lines to a pipe.
demo_forwarder() {
	set -- weir l2fwd "$DUT0" "$DUT1" --mode cdev --cores 1 --stats 1 --capture $pcap
	say "$*"
	if tty_size; then
		foreground "$@" </dev/console >/dev/console 2>/tmp/forward.err &
	else
		mkfifo /tmp/lines
		cat /tmp/lines >/dev/console &
		foreground "$@" </dev/null >/tmp/lines 2>/tmp/forward.err &
	fi
	FORWARDER=$!
	wait_for 30 forwarding_or_gone
	grep -q '^forwarding' /tmp/forward.err
}

demo_step() {
	local name=$1
	shift
	"$@" >"/tmp/step.$name" 2>&1 && return
	result=1
	return 1
}

demo_failed() {
	say "$1; it said:"
	shift
	cat "$@"
	result=1
}

demo_traffic() {
	peers_address
	sleep 1
	demo_step ping in_ns A ping -c 10 -i 0.2 -W 2 10.77.0.2
	demo_step tcp tcp_through 50000000
	sleep 1
}

demo() {
	peers_up || { demo_failed "the peers did not come up" /dev/null; return; }
	weir bind "$DUT0" "$DUT1" >/tmp/bind 2>&1 || { demo_failed "weir bind failed" /tmp/bind; return; }
	cat /tmp/bind
	demo_forwarder || { demo_failed "weir l2fwd does not forward" /tmp/forward.err; return; }
	demo_traffic
	kill -INT $FORWARDER
	wait_for 20 gone $FORWARDER || kill -9 $FORWARDER
	wait $FORWARDER || result=1
	weir release "$DUT0" "$DUT1" >/tmp/release 2>&1 || demo_failed "weir release failed" /tmp/release
	cp $pcap /out/forward.pcap
}

demo
{
	echo
	echo "weir forwarded between $DUT0 and $DUT1 on Linux $(uname -r), VFIO cdev + IOMMUFD:"
	echo "  ping     $(sed -n '/packets transmitted/p' /tmp/step.ping | tr -s ' ')"
	echo "  TCP      $(sed -n 's/^tcpxfer: //p' /tmp/step.tcp | tail -n 1) (the same at both ends)"
	tr -d '\r' </tmp/forward.err | sed 's/^/  weir     /'
	[ $result = 0 ] || echo "  FAILED   $(cat /tmp/step.* 2>/dev/null | tail -n 3)"
} >/out/demo.summary
echo $result >/out/demo.status
