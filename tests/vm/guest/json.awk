# Flatten a JSON document: one "path value" line a leaf; list items count from 0.
function fail(why) {
	print "json: " why " near: " substr(s, 1, 40) > "/dev/stderr"
	exit 1
}
function skip_space() { sub(/^[ \t\r\n]+/, "", s) }
function string(    out, c) {
	s = substr(s, 2)
	out = ""
	while ((c = substr(s, 1, 1)) != "\"") {
		if (c == "")
			fail("unended string")
		if (c == "\\") {
			out = out substr(s, 2, 1)
			s = substr(s, 3)
		} else {
			out = out c
			s = substr(s, 2)
		}
	}
	s = substr(s, 2)
	return out
}
function value(path,    c, i, key) {
	skip_space()
	c = substr(s, 1, 1)
	if (c == "{" || c == "[") {
		s = substr(s, 2)
		for (i = 0; ; i++) {
			skip_space()
			if (substr(s, 1, 1) ~ /[]}]/)
				break
			key = i
			if (c == "{") {
				key = string()
				skip_space()
				if (substr(s, 1, 1) != ":")
					fail("no colon")
				s = substr(s, 2)
			}
			value(path == "" ? key : path "." key)
			skip_space()
			if (substr(s, 1, 1) == ",")
				s = substr(s, 2)
			else if (substr(s, 1, 1) !~ /[]}]/)
				fail("no comma")
		}
		s = substr(s, 2)
	} else if (c == "\"") {
		print path " " string()
	} else if (match(s, /^[-+0-9.eEa-z]+/)) {
		print path " " substr(s, 1, RLENGTH)
		s = substr(s, RLENGTH + 1)
	} else {
		fail("no value")
	}
}
{ s = s $0 "\n" }
END { if (s ~ /[^ \n]/) value(""); else exit 1 }
