package oracle

import (
	"errors"
	"net"
	"os"
	"os/user"
	"regexp"
	"strings"
)

// target is one listener to try, and what it is asked for.
type target struct {
	protocol, host, port string
	connectData          string // what stands in CONNECT_DATA, but for who we are
	service, sid         string
	instance             string
}

// pair is a piece of a descriptor: (NAME=value), or (NAME=…) with further pairs.
type pair struct {
	name, value string
	inner       []pair
}

// find returns the first pair of a name, at any depth.
func (p pair) find(name string) (pair, bool) {
	if p.name == name {
		return p, true
	}
	for _, in := range p.inner {
		if found, ok := in.find(name); ok {
			return found, true
		}
	}
	return pair{}, false
}

// all returns the pairs of a name, at any depth, in their order.
func (p pair) all(name string) []pair {
	if p.name == name {
		return []pair{p}
	}
	var found []pair
	for _, in := range p.inner {
		found = append(found, in.all(name)...)
	}
	return found
}

func (p pair) of(name string) string {
	found, _ := p.find(name)
	return found.value
}

func (p pair) String() string {
	var b strings.Builder
	b.WriteString("(" + p.name + "=" + p.value)
	for _, in := range p.inner {
		b.WriteString(in.String())
	}
	return b.String() + ")"
}

var errDescriptor = errors.New("the descriptor cannot be read")

// cutPair reads the pair that s begins with and returns what follows it.
func cutPair(s string, depth int) (p pair, rest string, err error) {
	after, ok := strings.CutPrefix(strings.TrimSpace(s), "(")
	name, rest, named := strings.Cut(after, "=")
	p.name = strings.ToUpper(strings.TrimSpace(name))
	const deepest = 16
	if !ok || !named || p.name == "" || strings.ContainsAny(p.name, "()") || depth > deepest {
		return pair{}, "", errDescriptor
	}
	for {
		rest = strings.TrimSpace(rest)
		if !strings.HasPrefix(rest, "(") {
			break
		}
		var in pair
		if in, rest, err = cutPair(rest, depth+1); err != nil {
			return pair{}, "", err
		}
		p.inner = append(p.inner, in)
	}
	end := strings.IndexByte(rest, ')')
	if end < 0 {
		return pair{}, "", errDescriptor
	}
	p.value = strings.TrimSpace(rest[:end])
	if p.inner != nil && p.value != "" || strings.Contains(p.value, "(") {
		return pair{}, "", errDescriptor
	}
	return p, rest[end+1:], nil
}

// targets takes a descriptor apart into the listeners that it names, in their order.
// A listener takes one DESCRIPTION with one ADDRESS, of which the driver understands
// the protocol, the host and the port: a DESCRIPTION_LIST, as two sites of Data Guard
// have it, and buffer sizes are for the client alone.
func targets(descriptor string) ([]target, error) {
	top, rest, err := cutPair(descriptor, 0)
	if err != nil || strings.TrimSpace(rest) != "" {
		return nil, errDescriptor
	}
	var found []target
	for _, d := range top.all("DESCRIPTION") {
		wanted, _ := d.find("CONNECT_DATA")
		t := target{service: wanted.of("SERVICE_NAME"), sid: wanted.of("SID"), instance: wanted.of("INSTANCE_NAME")}
		for _, p := range wanted.inner {
			if p.name != "CID" { // who asks is told below
				t.connectData += p.String()
			}
		}
		for _, a := range d.all("ADDRESS") {
			t.protocol, t.host, t.port = strings.ToLower(a.of("PROTOCOL")), strings.Trim(a.of("HOST"), "[]"), a.of("PORT")
			if t.port == "" {
				t.port = defaultPort
			}
			if (t.protocol == "tcp" || t.protocol == "tcps") && t.host != "" && t.connectData != "" {
				found = append(found, t)
			}
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the descriptor names no host or no service")
	}
	return found, nil
}

// descriptor is what the listener of a target is sent.
func (t target) descriptor() string {
	return "(DESCRIPTION=(ADDRESS=(PROTOCOL=" + t.protocol + ")(HOST=" + t.host + ")(PORT=" + t.port + "))(CONNECT_DATA=" + t.connectData + clientID() + "))"
}

func (t target) address() string { return net.JoinHostPort(t.host, t.port) }

// clientID says who asks. A listener parses it, so it must hold nothing that it might
// stumble over: neither the folder of the program, which the driver would tell, nor
// the blanks, brackets and accents that names of people and machines have on Windows.
func clientID() string {
	host, _ := os.Hostname()
	name := os.Getenv("USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	return "(CID=(PROGRAM=pombo)(HOST=" + plain(host) + ")(USER=" + plain(name[strings.LastIndexByte(name, '\\')+1:]) + "))"
}

var notPlain = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// plain writes _ for what is neither a letter of ASCII nor a digit.
func plain(s string) string {
	const most = 60
	s = notPlain.ReplaceAllString(s, "_")
	if s = s[:min(len(s), most)]; s == "" {
		return "unknown"
	}
	return s
}
